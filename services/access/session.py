"""Sessions of the console: a token, shown once, becomes a cookie that is worth nothing without this process's memory."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from services.access.principal import Principal
from services.access.secret import token_id
from services.access.tokens import Tokens
from services.errors import FormRefused

LIFETIME_MS: Final = 8 * 3600 * 1000
"""A session ends then, however busy it is."""
_OF_A_TENANT: Final = 200
_OF_ALL: Final = 20_000
_OUR_OWN: Final = frozenset({"same-origin", "none"})
"""`Sec-Fetch-Site` of requests that no other site made: our pages', and those typed or repeated by the person."""


@dataclass(slots=True)
class Session:
    """Somebody who has signed in.

    Attributes:
        token: the id of the token that they signed in with.
        tenant: its tenant; None for operators.
        csrf: what each form of theirs carries.
        expires_at: epoch milliseconds.
        notice: what the next page tells them, once.
        counted: whose values they have been told while they typed, as tenant and field: each is audited once a session, not at each key.
        completing: held while what they type is completed.
        completions: how many times they have asked for that.
    """

    token: str
    tenant: str | None
    csrf: str
    expires_at: int
    notice: tuple[str, ...] = field(default=())
    counted: set[tuple[str, str]] = field(default_factory=set)
    completing: asyncio.Lock = field(default_factory=asyncio.Lock, compare=False)
    completions: int = 0

    def check_form(self, csrf: str) -> None:
        """Returns if the form was made for this session.

        Raises:
            FormRefused: it was not.
        """
        if not hmac.compare_digest(csrf.encode(), self.csrf.encode()):
            raise FormRefused("this form was not made for your session; load the page again, and send it from there")

    def take_notice(self) -> tuple[str, ...]:
        """The notice, which is then gone."""
        notice, self.notice = self.notice, ()
        return notice


class Sessions:
    """All sessions of this process, by the hash of their id: whoever reads its memory can't take one over.

    There are at most 200 a tenant: then its own oldest ends, so that nobody can end another tenant's by signing in often.
    """

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._sessions: dict[str, Session] = {}

    def begin(self, text: str, now: int) -> str:
        """A new session for whoever holds this token; its id, for a cookie.

        Raises:
            Unauthenticated: nobody holds it.
        """
        principal = self._tokens.principal(text, now)
        self._make_room(principal.tenant, now)
        identifier = secrets.token_urlsafe(32)
        token = token_id(text)
        assert token is not None, "it has a principal"
        self._sessions[_hashed(identifier)] = Session(token, principal.tenant, secrets.token_urlsafe(32), now + LIFETIME_MS)
        return identifier

    def find(self, identifier: str, now: int) -> tuple[Session, Principal] | None:
        """The session with this id, and who it is now: None once it is over, or its token is not valid any more."""
        name = _hashed(identifier)
        session = self._sessions.get(name)
        if session is None:
            return None
        principal = self._tokens.by_id(session.token, now) if now < session.expires_at else None
        if principal is None:
            del self._sessions[name]
            return None
        return session, principal

    def end(self, identifier: str) -> None:
        """Ends the session, if it is one."""
        self._sessions.pop(_hashed(identifier), None)

    def _make_room(self, tenant: str | None, now: int) -> None:
        self._sessions = {name: session for name, session in self._sessions.items() if now < session.expires_at}
        # A dictionary keeps the order of insertion, so the oldest come first.
        own = [name for name, session in self._sessions.items() if session.tenant == tenant]
        for name in own[: max(0, len(own) - _OF_A_TENANT + 1)]:
            del self._sessions[name]
        while len(self._sessions) >= _OF_ALL:
            del self._sessions[next(iter(self._sessions))]


def check_origin(headers: Mapping[str, str], public: str) -> None:
    """Returns if a browser says that the request comes from our own pages. What does not say is refused: all browsers do.

    Args:
        headers: of the request, by lower-case name.
        public: the URL that the outside knows this service by.

    Raises:
        FormRefused: it comes from elsewhere, or does not say.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        ours = site in _OUR_OWN
    else:
        # Over plain HTTP on a name of the network, browsers send `Origin` alone. It and `Host` are both the browser's own words.
        host = headers.get("host")
        ours = origin is not None and (origin == _origin(public) or (bool(host) and origin in {f"http://{host}", f"https://{host}"}))
    if not ours:
        raise FormRefused("this form was sent from another site; open the console itself, and send it from there")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _hashed(identifier: str) -> str:
    return hashlib.sha256(identifier.encode()).hexdigest()
