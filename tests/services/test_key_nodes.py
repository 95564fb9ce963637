"""What holds for a tenant's keys whatever people ask of whichever node, however the nodes' steps interleave, and wherever they crash."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from keyvault.algorithms import Algorithm
from keyvault.due import next_due
from keyvault.durations import DAY, HOUR, MINUTE, SECOND
from keyvault.leftover import IN_FLIGHT
from keyvault.master_key import MasterKey
from keyvault.policy import Policy
from keyvault.ring import Ring
from keyvault.store_file import FileKeyStore
from streams.log_sqlite import SqliteEventLog
from streams.scope import TenantScope
from tests.keyvault.made import NOW, POLICY, with_policy
from tests.services.nodes import Node, register
from tests.services.ring_watch import RingWatch
from tests.stepped import unavailable
from tests.virtual_nodes import VirtualNode, alive, attempted, kept, needed

ACME: Final = TenantScope("acme")
WHY: Final = "a test"
SKEW: Final = POLICY.clock_skew
POLICIES: Final = (
    POLICY,
    with_policy(algorithm=Algorithm.ES256),
    with_policy(algorithm=Algorithm.ES384, max_published_keys=3),
    with_policy(max_token_lifetime=24 * HOUR, max_published_keys=8),
    with_policy(rotation_period=30 * MINUTE, publish_ahead=11 * MINUTE, max_token_lifetime=SECOND, max_published_keys=8),
)
TIMES: Final = (1, SECOND, MINUTE, 9 * MINUTE, HOUR, 25 * HOUR, 91 * DAY)
CLOCKS: Final = (0, SKEW // 2, SKEW, -HOUR, -2 * DAY)
"""By how much a node's may be ahead: the first three agree within `clock_skew`, the others were put back."""
NODES: Final = st.integers(0, 2)
KEYS: Final = st.integers(0, 3)

Work = Callable[[Node], Coroutine[Any, Any, object]]


async def settle(here: Node) -> None:
    await here.custodian.settle(ACME)


async def sign(here: Node) -> str:
    [signed] = await here.custodian.sign(ACME, [{"sub": "user"}], "https://test")
    return signed.token


class KeyNodes(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.begun: dict[VirtualNode, tuple[int, int]] = {}
        """When a node began what it is doing, in true time and by its own clock."""
        self.failed: set[VirtualNode] = set()
        """Which of them the key store has failed meanwhile."""
        self.runner = asyncio.Runner()
        self.directory = TemporaryDirectory()
        self.stack = AsyncExitStack()
        self.run(self.open(Path(self.directory.name)))

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self.runner.run(work)

    async def open(self, directory: Path) -> None:
        self.log = SqliteEventLog(directory / "log.sqlite")
        self.stack.push_async_callback(self.log.close)
        self.store = FileKeyStore(directory / "keys", MasterKey(bytes(32)))
        self.stack.push_async_callback(self.store.close)
        await register(self.log, [ACME.tenant], POLICY, clock=lambda: NOW)
        self.watch = RingWatch(self.log, ACME)
        self.nodes = [VirtualNode(self.log, self.store, lambda: self.now) for _ in range(3)]
        for one, ahead in zip(self.nodes, CLOCKS, strict=False):
            one.clock.ahead = ahead
            await one.start()
            self.stack.push_async_callback(one.crash)
        await self.begin(self.nodes[0], settle, whole=True)

    def teardown(self) -> None:
        try:
            self.run(self.everybody_settles())
            self.run(self.next_keys_come())
            folded = Ring.fold(self.watch.events)
            assert all(one.here.rings.of(ACME.tenant) == folded for one in self.nodes)
        finally:
            self.run(self.stack.aclose())
            self.runner.close()
            self.directory.cleanup()

    async def begin(self, one: VirtualNode, work: Work, *, whole: bool = False) -> None:
        """The node begins it, or does the whole at once; if it is busy with something, it goes on with that."""
        await one.start()
        if one.doing is not None and not one.doing.over:
            await self.step(one)
            return
        if alone := one.clock.ahead < 0:  # it writes into the past, where nobody's attempts may be under way any more
            for other in self.nodes:
                await self.finish(other)
        self.failed.discard(one)
        self.begun[one] = self.now, one.clock()
        await one.begin(work)
        await self.look(one)
        if alone or whole:
            await self.finish(one)

    async def step(self, one: VirtualNode, error: Exception | None = None) -> None:
        if one.doing is not None and not one.doing.over:
            await one.doing.go_on(error)
            await self.look(one)

    async def finish(self, one: VirtualNode) -> None:
        while one.doing is not None and not one.doing.over:
            await self.step(one)

    async def look(self, one: VirtualNode) -> None:
        """What has come of the node's step; all others hear of it."""
        await self.watch.look(store_failed=one in self.failed, clock_is_wrong=one.clock.ahead < 0)
        for other in self.nodes:
            if other.up:
                await other.hear()
        if one.doing is not None and one.doing.over and isinstance(token := one.doing.result, str):
            self.watch.signed(token, self.begun[one][1])
            one.doing = None

    async def everybody_settles(self) -> None:
        """Whoever is busy finishes, whoever has crashed comes back, and all that is due soon is done: no key is forgotten."""
        for one in self.nodes:
            await self.finish(one)
            await one.start()
            one.clock.ahead = 0
        until = self.now + IN_FLIGHT + 2 * SKEW  # somebody's clock was ahead, and said since when there is a leftover
        await self.settle_until(until)
        assert self.watch.ring.active is not None
        held = await alive(self.store, ACME, range(1, self.watch.ring.next_ordinal + 3))
        assert needed(self.watch.ring) <= held, "none is lost"
        strange = {(ordinal, algorithm) for ordinal, algorithm, _ in held - kept(self.watch.ring)}
        assert strange <= attempted(self.watch.ring), "none is forgotten"
        for one in self.nodes:
            await self.begin(one, sign, whole=True)
        assert {token.kid for token in self.watch.tokens if token.signed_at == until} == {self.watch.ring.active.kid}

    async def settle_until(self, until: int) -> None:
        """All that is due by then is done when it is due."""
        while self.now <= until:
            for one in self.nodes:
                await self.begin(one, settle, whole=True)
            self.check_every_jwks()
            due_at = next_due(self.watch.ring, self.watch.ring.policy, self.now)
            assert due_at is not None
            assert due_at > self.now, "all that was due was done"
            self.now = due_at
        self.now = until

    async def next_keys_come(self) -> None:
        """Once the ring has used up every name that an attempt may have taken, the store holds its keys and nothing else."""
        reach = max(ordinal for ordinal, _ in attempted(self.watch.ring))
        while self.watch.ring.next_ordinal <= reach:
            due_at = next_due(self.watch.ring, self.watch.ring.policy, self.now)
            assert due_at is not None
            await self.settle_until(due_at)
        await self.everybody_settles()
        held = await alive(self.store, ACME, range(1, self.watch.ring.next_ordinal + 3))
        assert held <= kept(self.watch.ring), "none is forgotten"

    def kid(self, one: VirtualNode, which: int) -> str:
        """One of the last keys that the node knows."""
        keys = one.here.rings.of(ACME.tenant).keys
        return keys[-1 - which % len(keys)].kid

    @rule(number=NODES, whole=st.booleans())
    def do_what_is_due(self, number: int, whole: bool) -> None:
        self.run(self.begin(self.nodes[number], settle, whole=whole))

    @rule(number=NODES, activate=st.booleans(), whole=st.booleans())
    def rotate(self, number: int, activate: bool, whole: bool) -> None:
        def work(here: Node) -> Coroutine[Any, Any, object]:
            return here.custodian.rotate(ACME, activate=activate, reason=WHY, by="test", command=None)

        self.run(self.begin(self.nodes[number], work, whole=whole))

    @rule(number=NODES, which=KEYS, reason=st.sampled_from([None, WHY]))
    def activate(self, number: int, which: int, reason: str | None) -> None:
        async def work(here: Node) -> object:
            kid = self.kid(self.nodes[number], which)
            return await here.custodian.activate(ACME, kid, reason=reason, by="test", command=None)

        self.run(self.begin(self.nodes[number], work))

    @rule(number=NODES, which=KEYS)
    def compromise(self, number: int, which: int) -> None:
        async def work(here: Node) -> object:
            return await here.custodian.compromise(ACME, self.kid(self.nodes[number], which), reason=WHY, by="test", command=None)

        self.run(self.begin(self.nodes[number], work))

    @rule(number=NODES, which=KEYS)
    def destroy(self, number: int, which: int) -> None:
        async def work(here: Node) -> object:
            return await here.custodian.destroy(ACME, self.kid(self.nodes[number], which), by="test", command=None)

        self.run(self.begin(self.nodes[number], work))

    @rule(number=NODES, policy=st.sampled_from(POLICIES))
    def change_policy(self, number: int, policy: Policy) -> None:
        self.run(self.begin(self.nodes[number], lambda here: here.custodian.change_policy(ACME, policy, by="test", command=None)))

    @rule(number=NODES, whole=st.booleans())
    def give_a_token(self, number: int, whole: bool) -> None:
        self.run(self.begin(self.nodes[number], sign, whole=whole))

    @rule(number=NODES, steps=st.integers(1, 6))
    def go_on(self, number: int, steps: int) -> None:
        for _ in range(steps):
            self.run(self.step(self.nodes[number]))

    @rule(number=NODES)
    def go_on_to_the_end(self, number: int) -> None:
        self.run(self.finish(self.nodes[number]))

    @rule(number=NODES)
    def no_answer(self, number: int) -> None:
        """The port fails: before it has done what it was asked for or, if it is the key store, after it."""
        one = self.nodes[number]
        if one.doing is None or one.doing.step is None or (one.doing.step.port == "log" and one.doing.step.answered):
            return
        if one.doing.step.port == "store":
            self.failed.add(one)
        self.run(self.step(one, unavailable(one.doing.step)))

    @rule(number=NODES)
    def crash(self, number: int) -> None:
        self.run(self.nodes[number].crash())

    @rule(number=NODES, ahead=st.sampled_from(CLOCKS))
    def a_clock_is_set(self, number: int, ahead: int) -> None:
        one = self.nodes[number]
        self.run(self.finish(one))
        one.clock.ahead = ahead

    @rule()
    def time_passes_until_a_token_is_about_to_expire(self) -> None:
        if self.watch.tokens:
            self.time_passes(max(0, min(token.expires_at for token in self.watch.tokens) - 1 - self.now))

    @rule()
    def time_passes_until_something_is_due(self) -> None:
        self.time_passes(max(0, (next_due(self.watch.ring, self.watch.ring.policy, self.now) or 0) - self.now))

    @rule(time=st.sampled_from(TIMES))
    def time_passes(self, time: int) -> None:
        """An append is quick, and nobody takes longer than `IN_FLIGHT` for anything."""
        for one in self.nodes:
            step = one.doing.step if one.doing is not None else None
            if step is not None and step.call == "append" and not step.answered:
                self.run(self.step(one))
            if one.doing is not None and not one.doing.over and self.now + time - self.begun[one][0] >= IN_FLIGHT:
                self.run(self.finish(one))
        self.now += time

    @rule()
    def settle_all(self) -> None:
        self.run(self.everybody_settles())

    @invariant()
    def check_every_jwks(self) -> None:
        for one in self.nodes:
            if one.up:
                self.watch.check_jwks(one.here.rings.of(ACME.tenant), one.clock(), self.now)


@pytest.mark.parametrize(
    ("examples", "steps"), [(20, 30), pytest.param(300, 100, marks=[pytest.mark.long, pytest.mark.timeout(3600)])], ids=["some", "many"]
)
def test_the_promises_hold_on_any_number_of_nodes(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        KeyNodes,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
