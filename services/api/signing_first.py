"""Requests to sign that are right, answered before the framework, which would take several times as long for one as all the rest does."""

from __future__ import annotations

import re
from typing import Final

from pydantic import ValidationError

from services.access.scopes import Scope
from services.api import problems
from services.api.models import SignBody
from services.api.published import Asgi, AsgiScope, Message, Receive, Send
from services.api.signing import MAX_BODY, NO_STORE, answer
from services.errors import Refused
from services.platform import Platform
from streams.scope import TenantScope

_PATH: Final = re.compile(r"/v1/tenants/(?P<tenant>[a-z0-9-]{1,63})/tokens/sign")
_HEADERS: Final = ((b"content-type", b"application/json"), (b"cache-control", NO_STORE.encode()))


class SigningFirst:
    """Signs what is asked for as the route says (`services.api.signing`), and hands everything else to the application behind it.

    So whatever is wrong with a request is judged, and answered, in one place only; this one need not even know what it is. What can go
    wrong with a good request, as that the key store is away, is answered by the same table of problems.
    """

    def __init__(self, application: Asgi, platform: Platform) -> None:
        self._application = application
        self._platform = platform

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http" or scope["method"] != "POST" or (match := _PATH.fullmatch(scope["path"])) is None:
            await self._application(scope, receive, send)
            return
        if (token := _token(scope)) is None:
            await self._application(scope, receive, send)
            return
        received = [message := await receive()]
        if message.get("more_body") and self._entered(token, match["tenant"]) is not None:
            while message.get("more_body"):
                received.append(message := await receive())
        # Only now, or again: the body may have taken its time, and the token may be revoked by now.
        entered = self._entered(token, match["tenant"])
        if entered is None or message.get("more_body"):
            await self._application(scope, _again(received, receive), send)
            return
        try:
            body = SignBody.model_validate_json(b"".join(one.get("body", b"") for one in received))
        except ValidationError:
            await self._application(scope, _again(received, receive), send)
            return
        try:
            signed = await answer(self._platform, entered, body)
        except Exception as error:  # noqa: BLE001 -- any: it is answered as the framework would
            await problems.answer(error, scope["method"], scope["path"])(scope, receive, send)
            return
        headers = [*_HEADERS, (b"content-length", b"%d" % len(signed))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": signed})

    def _entered(self, token: str, tenant: str) -> TenantScope | None:
        """The right to sign for the tenant, if the token gives it."""
        running = self._platform
        try:
            principal = running.tokens.principal(token, running.now())
            return principal.enter(tenant, Scope.TOKENS_SIGN, running.tenants.exists)
        except Refused:
            return None


def _token(scope: AsgiScope) -> str | None:
    """The token that the request has with it, if it is none of the odd ones."""
    headers = dict(scope["headers"])
    kind, length = headers.get(b"content-type", b""), headers.get(b"content-length", b"")
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    if (
        scope["query_string"]
        or len(headers) != len(scope["headers"])  # one is there twice
        or kind != b"application/json"
        or not length.isdigit()
        or int(length) > MAX_BODY
        or scheme.lower() != b"bearer"
        or not token.isascii()
    ):
        return None
    return str(token, "ascii")


def _again(received: list[Message], receive: Receive) -> Receive:
    """Receives what was received before, and then goes on."""
    rest = iter(received)

    async def receiving() -> Message:
        message = next(rest, None)
        return message if message is not None else await receive()

    return receiving
