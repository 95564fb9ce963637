"""The key store keeps no private key of a deleted tenant, whatever was under way or away when it was deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from keyvault.errors import KeyDestroyed, KeyNotFound, KeyStoreUnavailable
from keyvault.key_store import KeyName
from keyvault.leftover import IN_FLIGHT
from services.keys.ended_keys import EndedKeys, names
from streams.control_log import ControlEvent
from streams.event_log import CONTROL
from streams.scope import TenantScope
from tests.daemon import PATIENCE
from tests.platforms import Site, site

ACME, GLOBEX = TenantScope("acme"), TenantScope("globex")
PATH = "/v1/tenants/acme"


def keys(here: Site, scope: TenantScope = ACME) -> list[KeyName]:
    return [KeyName.of(scope, key) for key in here.platform.rings.of(scope.tenant).keys]


async def rotated(here: Site) -> list[KeyName]:
    """Acme's keys: one that has signed, one that signs, and one that is about to."""
    await here.create("acme")
    await here.create("globex")
    for body in ({"activate": True, "reason": "a test"}, {}):
        answer = await here.operator.post(f"{PATH}/keys/rotate", json=body)
        assert answer.status_code in {200, 201}, answer.text
    assert len(keys(here)) >= 3
    return keys(here)


async def gone(here: Site, there: Sequence[KeyName]) -> None:
    for name in there:
        with pytest.raises(KeyNotFound):
            await here.platform.store.sign(name, [b"m"])
        with pytest.raises(KeyDestroyed):
            await here.platform.store.create(name)


async def words(here: Site) -> list[str]:
    """What the control log says of acme's end, in order."""
    events = [msgspec.json.decode(record.value, type=ControlEvent).type for record in await here.records(CONTROL) if record.key == "acme"]
    return [event for event in events if event.startswith("tenant_")]


def later(here: Site, milliseconds: int) -> EndedKeys:
    """As the platform's own, by a clock that is ahead."""
    running = here.platform
    return EndedKeys(running.control, running.tenants, running.rings, running.store, lambda: running.now() + milliseconds)


async def test_they_are_destroyed_with_the_tenant_and_no_other_ones_are(here: Site) -> None:
    there, others = await rotated(here), keys(here, GLOBEX)
    assert (await here.operator.delete(PATH)).status_code == 204
    await gone(here, there)
    assert len(await here.platform.store.sign(others[0], [b"m"])) == 1


async def test_what_an_interrupted_attempt_has_left_is_destroyed_too(here: Site) -> None:
    await rotated(here)
    ring = here.platform.rings.of("acme")
    left = KeyName(ACME, ring.next_ordinal, ring.policy.algorithm)
    await here.platform.store.create(left)
    assert (await here.operator.delete(PATH)).status_code == 204
    await gone(here, [left])


async def test_with_the_key_store_away_the_same_request_goes_on(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    there = await rotated(here)

    async def away(_: KeyName) -> None:
        raise KeyStoreUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(here.platform.store, "destroy", away)
        assert [(await here.operator.delete(PATH)).status_code for _ in range(2)] == [503, 503]
    assert await words(here) == ["tenant_created", "tenant_deleted", "tenant_forgotten"], "its index does not wait for that"
    assert (await here.operator.delete(PATH)).status_code == 204
    await gone(here, there)


async def test_a_key_that_can_not_be_destroyed_keeps_no_other(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = await rotated(here)
    destroy = here.platform.store.destroy

    async def stuck(name: KeyName) -> None:
        if name == first:
            raise KeyStoreUnavailable("stuck")
        await destroy(name)

    with monkeypatch.context() as patched:
        patched.setattr(here.platform.store, "destroy", stuck)
        assert (await here.operator.delete(PATH)).status_code == 503
    await gone(here, others)
    assert len(await here.platform.store.sign(first, [b"m"])) == 1


async def test_that_all_are_gone_is_said_once_none_can_appear_any_more(here: Site) -> None:
    await rotated(here)
    assert (await here.operator.delete(PATH)).status_code == 204
    ring = here.platform.rings.of("acme")
    late = KeyName(ACME, ring.next_ordinal + 1, ring.policy.algorithm)
    await here.platform.store.create(late)  # by a node that was slow
    await later(here, IN_FLIGHT // 2).destroy(ACME, "a test")
    assert [tenant.id for tenant in here.platform.tenants.with_keys()] == ["acme"]
    assert late in names(ACME, ring)
    await gone(here, [late])
    for _ in range(2):
        await later(here, IN_FLIGHT + ring.policy.clock_skew + 1).destroy(ACME, "a test")
    assert (await words(here))[-2:] == ["tenant_forgotten", "tenant_keys_destroyed"]
    assert here.platform.tenants.with_keys() == []


async def test_a_start_goes_on_with_what_a_crash_has_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def crash(_: KeyName) -> None:
        raise KeyStoreUnavailable("a crash")

    async with site(tmp_path / "data") as here:
        there = await rotated(here)
        with monkeypatch.context() as patched:
            patched.setattr(here.platform.store, "destroy", crash)
            assert (await here.operator.delete(PATH)).status_code == 503

    done, destroy = asyncio.Event(), EndedKeys.destroy

    async def seen(ended_keys: EndedKeys, scope: TenantScope, by: str) -> None:
        await destroy(ended_keys, scope, by)
        done.set()

    monkeypatch.setattr(EndedKeys, "destroy", seen)
    async with site(tmp_path / "data") as here, asyncio.timeout(PATIENCE):
        await done.wait()
        await gone(here, there)
