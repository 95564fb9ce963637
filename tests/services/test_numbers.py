"""What operators are told in numbers: requests, tokens that could not be signed, and tenants without a key."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import httpx
import pytest
from prometheus_client import REGISTRY

from keyvault import commands
from keyvault.events import KeyEvent
from services.api.measured import Measured
from services.keys.rings import Rings, control_event
from services.keys.watch import watch_keys
from services.tenants.tenant import Tenants
from streams.control_log import ControlEvent
from streams.errors import LogUnavailable
from streams.runner import Runner
from tests.engines import embedded
from tests.keyvault.made import NOW, POLICY, History, settled
from tests.platforms import Site

_REQUESTS: Final = "tenantry_http_request_seconds_count"


def number(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def keys() -> tuple[float, ...]:
    """Tenants, those for whom no key signs, and those with an empty JWKS."""
    names = ("tenantry_tenants", "tenantry_tenants_without_active_key", "tenantry_tenants_without_published_key")
    return tuple(number(name) for name in names)


def compromised(history: History, *, away: bool) -> None:
    """The active key is reported, and the key store is there or not."""
    assert history.ring.active is not None
    history.carry_out(commands.compromise(history.ring, POLICY, NOW, history.ring.active.kid, reason="a test"), away=away)


async def test_tenants_without_a_key_are_counted() -> None:
    tenants, rings, history = Tenants(), Rings(), settled()
    watch_keys(tenants, rings, lambda: NOW)
    assert keys() == (0, 0, 0)
    for fold in (tenants, rings):
        fold.apply("acme", ControlEvent(type="tenant_created", at=NOW, by="a test", data={"display_name": "Acme"}))
    await told()
    assert keys() == (1, 1, 1), "until it gets its first keys"
    await tell(rings, history.events)
    assert keys() == (1, 0, 0)
    before = len(history.events)
    compromised(history, away=True)
    compromised(history, away=True)  # the standby, too, and there is no other
    await tell(rings, history.events[before:])
    assert keys() == (1, 1, 1)
    watch_keys(tenants, rings, lambda: NOW)
    assert keys() == (1, 1, 1), "after a restart, too"
    tenants.apply("acme", ControlEvent(type="tenant_deleted", at=NOW, by="a test"))
    assert keys() == (0, 0, 0)


async def tell(rings: Rings, events: Sequence[KeyEvent]) -> None:
    for event in events:
        rings.apply("acme", control_event(event, "a test", None))
    await told()


async def told() -> None:
    """Returns when those who listen to rings have heard of them: at the event loop's next turn."""
    await asyncio.sleep(0)


@embedded
async def test_tokens_that_could_not_be_signed_are_counted(here: Site) -> None:
    await here.create("acme")
    request: Any = {"url": "/v1/tenants/acme/tokens/sign", "json": {"claims": {"sub": "one", "aud": "web-app"}}}
    before = number("tenantry_sign_failures_total")
    assert (await here.operator.post(**request)).status_code == 200
    assert (await here.operator.post(**{**request, "json": {"claims": {"iss": "somebody else"}}})).status_code == 400, (
        "whose fault it is not"
    )
    assert number("tenantry_sign_failures_total") == before
    shutil.rmtree(here.platform.settings.data / "keys")
    assert (await here.operator.post(**request)).status_code >= 500
    assert number("tenantry_sign_failures_total") == before + 1


async def asked(application: Any, method: str = "GET") -> None:
    transport = httpx.ASGITransport(Measured(application), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        await client.request(method, "/")


def answering(status: int, kind: bytes = b"text/plain") -> Any:
    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": b""})

    return application


async def failing(_scope: Any, _receive: Any, _send: Any) -> None:
    raise RuntimeError


@pytest.mark.parametrize(
    ("application", "method", "told_method", "told_status"),
    [(answering(204), "PUT", "PUT", "2xx"), (answering(404), "BREW", "other", "4xx"), (failing, "GET", "GET", "5xx")],
)
async def test_a_request_is_measured(application: Any, method: str, told_method: str, told_status: str) -> None:
    before = number(_REQUESTS, method=told_method, status=told_status)
    await asked(application, method)
    assert number(_REQUESTS, method=told_method, status=told_status) == before + 1


async def test_an_answer_without_an_end_is_not_measured() -> None:
    before = number(_REQUESTS, method="GET", status="2xx")
    await asked(answering(200, b"text/event-stream; charset=utf-8"))
    assert number(_REQUESTS, method="GET", status="2xx") == before


class _Away(Runner):
    async def lag(self) -> dict[str, int]:
        raise LogUnavailable("it is away")


async def test_there_are_metrics_while_the_log_is_away(here: Site) -> None:
    platform = replace(here.platform, runner=_Away(here.platform.log, ()))
    async with Site(platform, here.operator).client(None) as prometheus:
        answer = await prometheus.get("/metrics")
    assert answer.status_code == 200
    assert "\ntenantry_tenants " in answer.text
