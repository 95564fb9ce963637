"""The access tokens of a tenant: who holds what for how long, a form for a new one, and the one page that shows its secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from dashboards.console.times import utc

SCOPE_MEANINGS: Final[Mapping[str, str]] = {
    "events:read": "search, follow and export the log",
    "events:write": "send events",
    "keys:read": "see the keys, and who is ready for the next one",
    "keys:rotate": "rotate, let a key sign, change the policy",
    "keys:revoke": "report a key as compromised, destroy one",
    "tokens:sign": "have tokens signed: for identity providers",
    "tenant:admin": "tokens, relying parties, and the tenant's own settings",
}
"""What each scope of a tenant's token lets its holder do, in the order of the form."""

LIVES: Final[Mapping[str, tuple[str, int | None]]] = {
    "30": ("30 days", 30),
    "90": ("90 days", 90),
    "365": ("a year", 365),
    "never": ("it does not expire", None),
}
"""How long a new token can live: the label, and days."""
AS_MINE: Final = "mine"
"""As long as the token that mints it."""


@dataclass(frozen=True, slots=True)
class TokenLine:
    """A token. Times are epoch milliseconds.

    Attributes:
        scopes: what it may do.
        minted_by: who minted it.
        expires_at: None for never.
        own: whether the visitor is signed in with it.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    minted_at: int
    minted_by: str
    expires_at: int | None
    expired: bool
    own: bool


@dataclass(frozen=True, slots=True)
class TokenForm:
    """A new token as it is typed: its name, its scopes, and how long it lives (a name of `LIVES`, or `AS_MINE`)."""

    name: str = ""
    scopes: frozenset[str] = frozenset()
    lives: str = "90"

    @classmethod
    def read(cls, form: Mapping[str, str]) -> TokenForm:
        """As it was sent."""
        chosen = frozenset(name.removeprefix("scope.") for name in form if name.startswith("scope."))
        return cls(form.get("name", "").strip(), chosen, form.get("lives", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensPage:
    """The tokens that are not revoked.

    Attributes:
        tokens: the newest first.
        older: where those before are; None if there are none.
        grants: which scopes the visitor can give: not more than their own.
        lives: how long a new token can live: values and labels.
        form: the new one, as it was typed.
        notice: what has just been done.
        trouble: why it was not done.
    """

    template: ClassVar[str] = "tokens.html"
    tenant: str
    now: int
    tokens: tuple[TokenLine, ...]
    older: str | None
    grants: tuple[tuple[str, str], ...]
    lives: tuple[tuple[str, str], ...]
    form: TokenForm
    notice: tuple[str, ...] = ()
    trouble: str | None = None

    @property
    def title(self) -> str:
        """Of the page."""
        return "Tokens"


@dataclass(frozen=True, slots=True)
class MintedPage:
    """A new token with its secret, which is shown this once."""

    template: ClassVar[str] = "token_minted.html"
    tenant: str
    now: int
    token: TokenLine
    secret: str
    title: str = "Your new token"

    def __repr__(self) -> str:
        """Without the secret, so that no log or traceback shows it."""
        return f"MintedPage(token={self.token.id!r})"


def grants(scopes: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """The scopes that somebody with these can give, and what each means."""
    return tuple((scope, meaning) for scope, meaning in SCOPE_MEANINGS.items() if scope in scopes)


def lives(now: int, until: int | None) -> tuple[tuple[str, str], ...]:
    """How long a token can live that is minted with one that ends then, or never."""
    day = 24 * 3600 * 1000
    if until is None:
        return tuple((name, label) for name, (label, _) in LIVES.items())
    shorter = ((name, label) for name, (label, days) in LIVES.items() if days is not None and now + days * day <= until)
    return (*shorter, (AS_MINE, f"as long as yours, until {utc(until)}"))
