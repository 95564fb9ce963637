"""Waves: thousands of tenants rotate by a plan that every node knows, whoever is restarted meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from keyvault.algorithms import Algorithm
from keyvault.errors import InvalidWave, KeyStoreUnavailable
from keyvault.rate import Rate
from services.errors import Conflict, Invalid, NotFound, Reused
from services.keys.waves import WAVES, Wave
from services.parts import now_ms
from streams.control_log import ControlEvent
from streams.event_log import CONTROL, EventLog
from streams.scope import TenantScope
from tests.services.nodes import FAST, Node, WatchedStore, engines, node, register

TENANTS = [f"tenant-{number:03}" for number in range(40)]
QUICK, SLOW = Rate.parse("200/s"), Rate.parse("1/h")
HOUR = 3_600_000
Engines = tuple[EventLog, WatchedStore]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Engines]:
    """Tenants whose keys were made two hours ago."""
    async with engines(tmp_path) as (log, store):
        await register(log, TENANTS, clock=lambda: now_ms() - 2 * HOUR)
        async with node(log, store, clock=lambda: now_ms() - 2 * HOUR) as running:
            await running.settled()
        yield log, store


async def events(log: EventLog, key: str) -> list[ControlEvent]:
    return [msgspec.json.decode(record.value, type=ControlEvent) for record in await log.read(CONTROL, key=key)]


async def activations(log: EventLog, wave: str) -> Counter[str]:
    """How often each tenant was rotated by the wave."""
    return Counter({tenant: sum(event.data.get("wave") == wave for event in await events(log, tenant)) for tenant in TENANTS})


def begin(running: Node, rate: Rate, tenants: list[str] | None = None, command: str | None = None) -> asyncio.Task[Wave]:
    return asyncio.create_task(running.waves.start(rate, 0.5, "a test", tenants, by="operator:test", command=command))


async def test_a_wave_rotates_everybody_once(here: Engines) -> None:
    log, store = here
    async with node(log, store) as running:
        before = {tenant: running.rings.of(tenant) for tenant in TENANTS}
        wave = await running.waves.start(QUICK, 0.5, "a test", None, by="operator:test", command=None)
        turns = dict(wave.turns)
        assert running.progress(wave).left == len(TENANTS)
        await running.until(lambda: not running.progress(wave).left)
        assert running.progress(wave).done == len(TENANTS)
        for tenant in TENANTS:
            active, standby = running.rings.of(tenant).active, before[tenant].standby
            assert active is not None
            assert standby is not None
            assert (active.kid, active.forced) == (standby.kid, None)
            assert active.activated_at is not None
            assert active.activated_at >= turns[tenant]
        await running.settled()
    assert set((await activations(log, wave.id)).values()) == {1}


async def test_two_nodes_carry_out_one_wave(here: Engines) -> None:
    log, store = here
    async with node(log, store) as first, node(log, store) as second:
        wave = await first.waves.start(QUICK, 1, "", None, by="operator:test", command=None)
        await second.until(lambda: second.waves.all() != [] and not second.progress(wave).left)
        await first.until(lambda: not first.progress(wave).left)
    assert set((await activations(log, wave.id)).values()) == {1}


async def test_a_wave_goes_on_after_a_restart(here: Engines) -> None:
    log, store = here
    async with node(log, store, schedules=False) as running:
        wave = await running.waves.start(QUICK, 0.5, "", None, by="operator:test", command=None)
    assert set((await activations(log, wave.id)).values()) == {0}
    async with node(log, store) as running:
        await running.until(lambda: not running.progress(wave).left)
    async with node(log, store) as running:
        assert running.progress(wave).done == len(TENANTS)
    assert set((await activations(log, wave.id)).values()) == {1}


async def test_after_an_outage_those_who_are_late_rotate_at_the_waves_rate(here: Engines) -> None:
    log, store = here
    rate = Rate.parse("2/min")
    async with node(log, store, clock=lambda: now_ms() - HOUR, schedules=False) as running:
        await running.waves.start(rate, 0, "", None, by="operator:test", command=None)
    async with node(log, store) as running:
        assert len(running.scheduler._turns) == len(TENANTS), "all are late"
        turns = sorted(turn for _, turn in running.scheduler._turns.values())
        assert all(turn - turns[number] >= rate.slot(1) - 1 for number, turn in enumerate(turns[2:], start=1))
        assert turns[-1] - turns[0] <= rate.slot(len(TENANTS))


async def test_a_wave_that_is_stopped_releases_those_who_have_not_rotated(here: Engines) -> None:
    log, store = here
    async with node(log, store) as running:
        before = {tenant: running.rings.of(tenant).keys for tenant in TENANTS}
        wave = await running.waves.start(SLOW, 0, "", None, by="operator:test", command=None)
        await running.until(lambda: running.progress(wave).done == 1)
        await running.waves.stop(wave.id, by="operator:test")
        told = running.progress(wave)
        assert (told.state, told.done, told.released, told.left) == ("stopped", 1, len(TENANTS) - 1, 0)
        assert sum(running.rings.of(tenant).keys == before[tenant] for tenant in TENANTS) == len(TENANTS) - 1
        await running.waves.stop(wave.id, by="operator:test")
        assert [event.type for event in await events(log, WAVES)] == ["wave_started", "wave_planned", "wave_stopped"]
        again = await running.waves.start(SLOW, 0, "", None, by="operator:test", command=None)
        assert running.progress(again).left == len(TENANTS)
    async with node(log, store, schedules=False) as running:
        assert running.progress(wave) == told
        assert running.progress(again).left + running.progress(again).done == len(TENANTS)


async def test_one_wave_runs_at_a_time(here: Engines) -> None:
    log, store = here
    async with node(log, store) as running:
        answers = await asyncio.gather(*(begin(running, SLOW) for _ in range(5)), return_exceptions=True)
        assert [type(answer) for answer in answers].count(Conflict) == 4
        assert [wave.ended for wave in running.waves.all()] == [None]


async def test_the_end_of_a_wave_is_written_down_once(here: Engines) -> None:
    log, store = here
    async with node(log, store) as running, node(log, store) as other:
        wave = await running.waves.start(QUICK, 0, "", TENANTS[:3], by="operator:test", command=None)
        await running.waves.finish()
        await running.until(lambda: not running.progress(wave).left)
        told = running.progress(wave)
        await asyncio.gather(running.waves.finish(), other.waves.finish())
        assert [event.type for event in await events(log, WAVES)] == ["wave_started", "wave_planned", "wave_finished"]
        assert (running.progress(wave).state, running.progress(wave).done) == (told.state, told.done) == ("finished", 3)
        assert running.waves.find(wave.id).turns == {}


async def test_the_next_wave_writes_down_the_end_of_the_last(here: Engines) -> None:
    log, store = here
    async with node(log, store) as running:
        wave = await running.waves.start(QUICK, 0, "", TENANTS[:3], by="operator:test", command=None)
        await running.until(lambda: not running.progress(wave).left)
        await running.waves.start(SLOW, 0, "", None, by="operator:test", command=None)
        types = [event.type for event in await events(log, WAVES)]
        assert types == ["wave_started", "wave_planned", "wave_finished", "wave_started", "wave_planned"]


async def test_an_idempotency_key_begins_one_wave(here: Engines) -> None:
    log, store = here
    async with node(log, store) as running:
        first, second = await asyncio.gather(begin(running, SLOW, command="ticket 1"), begin(running, SLOW, command="ticket 1"))
        assert first is second
        with pytest.raises(Reused):
            await begin(running, QUICK, command="ticket 1")
        with pytest.raises(Invalid, match="Idempotency-Key"):
            await begin(running, SLOW, command="x" * 256)


async def test_what_cannot_be_a_wave_is_refused(here: Engines) -> None:
    log, store = here
    async with node(log, store) as running:
        with pytest.raises(Invalid, match="there is no 'nobody'"):
            await begin(running, SLOW, tenants=[TENANTS[0], "nobody"])
        with pytest.raises(InvalidWave, match="no tenant"):
            await begin(running, SLOW, tenants=[])
        with pytest.raises(NotFound):
            await running.waves.stop("nothing", by="operator:test")
        assert running.waves.all() == []


async def test_who_cannot_be_rotated_is_told_with_the_reason(here: Engines) -> None:
    log, store = here
    held_up, failing, deleted, by_hand = TENANTS[:4]
    async with node(log, store, schedules=False) as running:
        wave = await running.waves.start(QUICK, 0, "", TENANTS[:4], by="operator:test", command=None)
        await running.custodian.change_policy(
            TenantScope(held_up), msgspec.structs.replace(FAST, publish_ahead=24 * HOUR), by="test", command=None
        )
        store.broken[failing] = KeyStoreUnavailable("sealed")
        standby = running.rings.of(failing).standby
        assert standby is not None
        await running.custodian.compromise(TenantScope(failing), standby.kid, reason="seen", by="test", command=None)
        await running.custodian.rotate(TenantScope(by_hand), activate=False, reason=None, by="test", command=None)
        await running.delete(deleted)
    async with node(log, store) as running:
        while running.scheduler.trouble(failing) is None:  # noqa: ASYNC110 -- no event tells of what did not happen
            await asyncio.sleep(0.01)
        told = running.progress(wave)
        assert (told.state, told.done, told.gone, told.late, told.failed) == ("running", 1, 1, 1, 1)
        assert told.ends_at is None, "nobody knows when the key store will be back"
        reasons = {one.tenant: one.reason for one in told.overdue}
        assert reasons.keys() == {held_up, failing}
        assert "has not been published for long enough" in reasons[held_up]
        assert reasons[failing].startswith("sealed")
        store.broken.clear()
        await running.until(lambda: running.progress(wave).failed == 0)


async def test_who_waits_for_a_standby_of_the_policys_algorithm_is_told_so(here: Engines) -> None:
    log, store = here
    async with node(log, store, schedules=False) as running:
        wave = await running.waves.start(QUICK, 0, "", TENANTS[:1], by="operator:test", command=None)
        store.broken[TENANTS[0]] = KeyStoreUnavailable("sealed")
        other = msgspec.structs.replace(FAST, algorithm=Algorithm.ES256)
        await running.custodian.change_policy(TenantScope(TENANTS[0]), other, by="test", command=None)
        while not (overdue := running.progress(wave).overdue):  # noqa: ASYNC110 -- its turn comes by the clock
            await asyncio.sleep(0.001)
        assert overdue[0].reason.startswith("its standby is of another algorithm than the policy's, and is not replaced yet: 2 keys")
