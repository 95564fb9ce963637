"""The scheduler: a few at once, one's trouble keeps nobody waiting, and what it costs goes by what changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from dashboards.metrics import ROTATIONS_DUE
from keyvault.due import next_due
from keyvault.durations import DAY
from keyvault.errors import KeyStoreUnavailable, TooManyPublishedKeys
from keyvault.policy import Policy
from keyvault.ring import Ring
from services.keys import scheduler
from services.parts import now_ms
from streams.event_log import EventLog
from streams.scope import TenantScope
from tests.services.nodes import FAST, WatchedStore, engines, node, register

TENANTS = [f"tenant-{number:03}" for number in range(40)]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[tuple[EventLog, WatchedStore]]:
    async with engines(tmp_path) as opened:
        yield opened


async def test_every_tenant_is_seen_to_and_only_a_few_at_once(here: tuple[EventLog, WatchedStore]) -> None:
    log, store = here
    await register(log, TENANTS)
    async with node(log, store) as running:
        await running.settled()
        assert {tenant.id for tenant in running.tenants.all()} == set(TENANTS)
        assert 1 < store.most <= 3


async def test_a_tenant_whose_keys_cannot_be_made_is_tried_again_while_the_others_go_on(here: tuple[EventLog, WatchedStore]) -> None:
    log, store = here
    store.broken = {tenant: KeyStoreUnavailable("sealed") for tenant in TENANTS[:5]}
    await register(log, TENANTS)
    async with node(log, store) as running:
        await running.until(lambda: all(running.rings.of(tenant).standby for tenant in TENANTS[5:]))
        assert not any(running.rings.of(tenant).keys for tenant in TENANTS[:5])
        store.broken.clear()
        await running.settled()
        assert not any(map(running.scheduler.trouble, TENANTS))


async def test_a_failure_is_told(here: tuple[EventLog, WatchedStore]) -> None:
    log, store = here
    store.broken["bad"] = KeyStoreUnavailable("sealed")
    await register(log, ["bad", "good"])
    async with node(log, store) as running:
        while running.scheduler.trouble("bad") is None:  # noqa: ASYNC110 -- no event tells of what did not happen
            await asyncio.sleep(0.01)
        assert running.scheduler.trouble("bad") == "sealed"
        assert running.scheduler.trouble("good") is None


async def test_tenants_whose_key_store_hangs_keep_nobody_waiting_for_long(here: tuple[EventLog, WatchedStore]) -> None:
    log, store = here
    answering = asyncio.Event()
    store.hanging = dict.fromkeys(TENANTS[:2], answering)
    await register(log, TENANTS)
    async with node(log, store) as running:
        await running.until(lambda: all(running.rings.of(tenant).standby for tenant in TENANTS[2:]))
        assert not any(running.rings.of(tenant).keys for tenant in TENANTS[:2]), "it hung all the time"
        answering.set()
        await running.settled()


async def test_it_looks_at_the_rings_that_change_and_at_no_others(
    here: tuple[EventLog, WatchedStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    log, store = here
    looks = 0

    def counted(ring: Ring, policy: Policy, now: int) -> int | None:
        nonlocal looks
        looks += 1
        return next_due(ring, policy, now)

    monkeypatch.setattr(scheduler, "next_due", counted)
    await register(log, TENANTS)
    async with node(log, store) as running:
        await running.settled()
        await asyncio.sleep(0)
        looks = 0
        await running.custodian.rotate(TenantScope(TENANTS[0]), activate=True, reason="one", by="test", command=None)
        await running.until(lambda: running.rings.of(TENANTS[0]).standby is not None)
        assert 0 < looks < len(TENANTS) / 2


async def test_a_deleted_tenant_is_seen_to_no_more(here: tuple[EventLog, WatchedStore]) -> None:
    log, store = here
    store.broken["bad"] = KeyStoreUnavailable("sealed")
    await register(log, ["bad", "good"])
    async with node(log, store) as running:
        await running.until(lambda: running.rings.of("good").standby is not None)
        await running.delete("bad")
        running.scheduler._note("bad")
        await asyncio.sleep(0)
        assert running.scheduler.trouble("bad") is None
        assert running.scheduler._undone() == 0


async def test_a_ring_that_cannot_rotate_for_want_of_room_is_counted_and_told(here: tuple[EventLog, WatchedStore]) -> None:
    log, store = here
    clock = [now_ms()]
    policy = msgspec.structs.replace(FAST, max_published_keys=2)
    await register(log, TENANTS[:1], policy, clock=lambda: clock[0])
    async with node(log, store, clock=lambda: clock[0]) as running:
        await running.settled()
        scope = TenantScope(TENANTS[0])
        for lifetime in (3650 * DAY, policy.max_token_lifetime):
            changed = msgspec.structs.replace(policy, max_token_lifetime=lifetime)
            await running.custodian.change_policy(scope, changed, by="test", command=None)
        await running.custodian.rotate(scope, activate=True, reason="test", by="test", command=None)
        clock[0] += 90 * DAY - 1
        await running.scheduler.wake()
        await asyncio.gather(*running.scheduler._busy.values())
        assert running.scheduler._undone() == 0
        clock[0] += 1
        with capture_logs() as said:
            await running.scheduler.wake()
            await asyncio.gather(*running.scheduler._busy.values())
        [stalled] = [line for line in said if line["event"] == "rotation_stalled"]
        assert (stalled["tenant"], stalled["published"], stalled["allowed"]) == (TENANTS[0], 2, 2)
        [metric] = ROTATIONS_DUE.collect()
        assert [sample.value for sample in metric.samples] == [1]
        with pytest.raises(TooManyPublishedKeys, match="the next leaves at 203"):
            await running.custodian.rotate(scope, activate=False, reason=None, by="test", command=None)
        await running.custodian.change_policy(scope, FAST, by="test", command=None)
        await running.until(lambda: running.rings.of(TENANTS[0]).standby is not None)
        await asyncio.gather(*running.scheduler._busy.values())
        assert running.scheduler._undone() == 0


def test_failures_are_tried_again_later_and_later_and_not_all_at_once() -> None:
    latest = [scheduler.retry_after(count, 0) for count in range(1, 40)]
    assert latest == sorted(latest)
    assert (latest[0], latest[-1]) == (2_000, 60_000)
    assert scheduler.retry_after(3, 1) == latest[2] / 2


def test_the_policy_of_these_tests_is_one_that_can_be_set() -> None:
    assert FAST.problems() == []
