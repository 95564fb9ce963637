"""What the tests of notices do with relying parties: register them, rotate, and wait until they have been told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

import msgspec
from joserfc import jws
from joserfc.jwk import KeySet

from keyvault.relying_party import RelyingParty
from services.notices.notice import Notice
from streams.control_log import ControlEvent
from tests.platforms import Site
from tests.services.notices.receiver import Got

Started = Callable[[], AbstractAsyncContextManager[Site]]
"""Starts a platform, always on the same directory."""

ROTATED = ["key-deactivated", "key-activated", "key-prepared"]
"""What a forced rotation tells."""


async def commit(site: Site, *events: ControlEvent, tenant: str = "acme") -> None:
    """Appends control events of the tenant."""

    async def decide() -> Sequence[ControlEvent]:
        return events

    await site.platform.control.commit(tenant, decide)


async def register(site: Site, name: str, webhook: str | None, tenant: str = "acme") -> None:
    """Registers a relying party, or changes it."""
    data = {"relying_party": msgspec.to_builtins(RelyingParty(id=name, name=name, webhook=webhook))}
    await commit(site, ControlEvent(type="relying_party_registered", at=site.platform.now(), by="test", data=data), tenant=tenant)


async def remove(site: Site, name: str) -> None:
    """Removes a relying party."""
    await commit(site, ControlEvent(type="relying_party_removed", at=site.platform.now(), by="test", data={"id": name}))


async def rotate(site: Site, tenant: str = "acme") -> str:
    """Forces a rotation, and lets the next standby be prepared; the `kid` that signs now."""
    answer = await site.operator.post(f"/v1/tenants/{tenant}/keys/rotate", json={"activate": True, "reason": "test"})
    assert answer.status_code == 200, answer.text
    await site.operator.put(f"/v1/tenants/{tenant}/keys/policy", json={})
    await until(site, lambda: site.platform.rings.of(tenant).standby is not None)
    active: str = answer.json()["active"]
    return active


async def compromise(site: Site, kid: str) -> str:
    """Reports the key; the `kid` that signs now."""
    answer = await site.operator.post(f"/v1/tenants/acme/keys/{kid}/compromise", json={"reason": "secret reason"})
    assert answer.status_code == 200, answer.text
    active: str = answer.json()["active"]
    return active


async def notices(site: Site, name: str, tenant: str = "acme") -> list[dict[str, Any]]:
    """The relying party's notices, oldest first."""
    answer = await site.operator.get(f"/v1/tenants/{tenant}/relying-parties/{name}/notices")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["notices"]
    return found[::-1]


async def settled(site: Site, name: str, count: int, tenant: str = "acme") -> list[dict[str, Any]]:
    """The relying party's notices when so many have come to an end, and none waits."""

    def done() -> bool:
        line = site.platform.notices.line(tenant, name)
        return line is not None and not line.waiting and len(line.done) >= count

    await until(site, done)
    return await notices(site, name, tenant)


async def failed(site: Site, name: str) -> Notice:
    """The relying party's first notice when it has failed; where it may succeed soon, wait from before it can fail."""
    seen: list[Notice] = []

    def look() -> bool:
        head = site.platform.notices.head("acme", name)
        if head is not None and head.error is not None:
            seen.append(head)
        return bool(seen)

    await until(site, look)
    return seen[0]


async def until(site: Site, condition: Callable[[], bool]) -> None:
    """Returns when the condition holds; it is asked again at each change of a notice or a ring."""
    changed = asyncio.Event()
    site.platform.notices.on_change(lambda *_: changed.set())
    site.platform.rings.on_change(lambda _: changed.set())
    async with asyncio.timeout(60):
        while not condition():
            await changed.wait()
            changed.clear()


async def verify(site: Site, got: Got, tenant: str = "acme") -> None:
    """Checks the token with an independent library, on the live JWKS."""
    document = (await site.client(None).get(f"/t/{tenant}/jwks.json")).json()
    keys = KeySet.import_key_set(cast("Any", document))
    verified = jws.deserialize_compact(got.body.decode(), keys, algorithms=["RS256"])
    assert verified.protected["typ"] == "secevent+jwt"
