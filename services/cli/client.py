"""The HTTP client of the commands that ask a running service."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import httpx

from services.cli.server_sent import Frame, frames
from services.errors import Invalid, ServiceError, SettingsError
from services.settings import Settings

_SECONDS: Final = 60.0
_SILENCE_SECONDS: Final = 45.0
"""Three heartbeats of a stream that did not come."""
_MOST_SECONDS: Final = 10.0
_FOR_A_WHILE: Final = frozenset({409, 429, 502, 503, 504})
"""Answers after which it is worth trying to follow a stream again; a 409 says that its index is being built."""
_DOTS: Final = {".": "%2E", "..": "%2E%2E"}
"""Parts of a path that would else be taken for steps in it."""


class Body(NamedTuple):
    """An answer that is still coming: its headers, by names in lower case, and its body part by part."""

    headers: Mapping[str, str]
    parts: Iterator[bytes]


class Client:
    """Asks the service with the token of the settings, by default the operator's of this machine."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.service_url
        self._client = httpx.Client(base_url=self._url, headers={"Authorization": f"Bearer {_token(settings)}"}, timeout=_SECONDS)

    def ask(
        self, method: str, path: str, *, params: Mapping[str, Any] | None = None, json: Any = None, seconds: float | None = _SECONDS
    ) -> Any:
        """The answer's JSON, or None if it has none.

        Args:
            method: of HTTP.
            path: of the API.
            params: of the query; what is empty is left out.
            json: the body.
            seconds: how long the service may work before it answers; None: as long as it takes.

        Raises:
            ServiceError: the service refused, with what it says; or it does not answer.
        """
        with self._errors():
            given = {name: value for name, value in (params or {}).items() if value not in {None, ""}}
            timeout = httpx.Timeout(_SECONDS, read=seconds)
            answer = self._client.request(method, path, params=given, json=json, timeout=timeout)
            _check(answer)
            return answer.json() if answer.content else None

    @contextmanager
    def stream(self, path: str, params: Mapping[str, Any]) -> Iterator[Body]:
        """An answer of any length."""
        given = {name: value for name, value in params.items() if value not in {None, ""}}
        with self._errors(), self._client.stream("GET", path, params=given) as answer:
            if answer.is_error:
                answer.read()
            _check(answer)
            yield Body(answer.headers, _whole(answer))

    def follow(self, path: str, params: Mapping[str, Any], told: Callable[[str], None]) -> Iterator[Frame]:
        """A stream of events that is connected again whenever it is cut, behind the last event: none is lost, and none comes twice.

        Args:
            path: of the API.
            params: of the query; what is empty is left out.
            told: is told why the stream was cut, when it was.

        Raises:
            ServiceError: the service refuses; or it does not answer, and never has.
        """
        given = {name: value for name, value in params.items() if value not in {None, ""}}
        last = ""
        failures = 0
        while True:
            headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
            try:
                timeout = httpx.Timeout(_SECONDS, read=_SILENCE_SECONDS)
                with self._client.stream("GET", path, params=given, headers=headers, timeout=timeout) as answer:
                    if answer.is_error:
                        answer.read()
                        if not last or answer.status_code not in _FOR_A_WHILE:
                            _check(answer)
                        told(f"HTTP {answer.status_code}")
                    else:
                        for frame in frames(answer.iter_bytes()):
                            last, failures = frame.id or last, 0
                            yield frame
                        told("the service has ended it")
            except httpx.TransportError as error:
                if not last:
                    raise self._away(error) from error
                told(str(error) or "nothing was heard of it for too long")
            time.sleep(min(2.0**failures, _MOST_SECONDS))
            failures += 1

    def pages(self, path: str, params: Mapping[str, Any], *, name: str, most: int | None) -> Iterator[dict[str, Any]]:
        """The items of a paged answer, page after page, at most so many."""
        given = dict(params)
        count = 0
        while True:
            page = self.ask("GET", path, params=given)
            for item in page[name]:
                yield item
                count += 1
                if count == most:
                    return
            if page["next"] is None:
                return
            given["after"] = page["next"]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except httpx.ReadTimeout:
            raise ServiceError(f"the service at {self._url} has not answered in time; it may still be doing what it was asked") from None
        except httpx.TransportError as error:
            raise self._away(error) from error

    def _away(self, error: httpx.TransportError) -> ServiceError:
        return ServiceError(f"no service answers at {self._url} ({error}); start it with `tenantry serve`, or set TENANTRY_URL")


def _whole(answer: httpx.Response) -> Iterator[bytes]:
    try:
        yield from answer.iter_bytes()
    except httpx.TransportError as error:
        raise ServiceError(f"the answer was cut off ({error}), so it is not whole; ask again") from error


def _check(answer: httpx.Response) -> None:
    if answer.is_error:
        try:
            detail = answer.json()["detail"]
        except (ValueError, KeyError, TypeError):
            detail = answer.reason_phrase
        raise ServiceError(f"{detail} (HTTP {answer.status_code})")


def _token(settings: Settings) -> str:
    """The token, without what is around it, as the line break of a file; one that can't be in a header is never repeated."""
    given = settings.token.get_secret_value().strip() if settings.token is not None else ""
    if given:
        return _sendable(given, "TENANTRY_TOKEN")
    file = settings.operator_token_file
    try:
        return _sendable(file.read_text(errors="replace").strip(), str(file))
    except OSError as error:
        raise SettingsError(f"there is no token: set TENANTRY_TOKEN, or TENANTRY_DATA to the service's data directory ({error})") from error


def _sendable(token: str, where: str) -> str:
    if not token:
        raise SettingsError(f"there is no token: {where} is empty")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise SettingsError(
            f"{where} holds no token: a token is one word of letters, digits, - and _; it is not shown here, as it may be secret"
        )
    return token


def path_of(tenant: str, *parts: str) -> str:
    """The path of something of a tenant. Its parts can be any text, as an imported key's `kid` can.

    Raises:
        Invalid: the tenant's id can't be part of a path.
    """
    if not tenant or set(tenant) & set("/?#%"):
        raise Invalid(f"{tenant!r} is not a tenant id")
    return "/".join((f"/v1/tenants/{tenant}", *(_DOTS.get(part) or quote(part, safe="") for part in parts)))
