"""A node crashes at each step of a rotation, or the key store's answer is lost there: no key is forgotten, and none is activated twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest

from keyvault.algorithms import Algorithm
from keyvault.due import next_due
from keyvault.durations import DAY, HOUR, MINUTE
from keyvault.key import Key, KeyState
from keyvault.key_store import KeyStore
from keyvault.leftover import IN_FLIGHT
from keyvault.master_key import MasterKey
from keyvault.policy import Policy
from keyvault.ring import Ring
from keyvault.store_file import FileKeyStore
from keyvault.store_vault import VaultKeyStore
from streams.log_sqlite import SqliteEventLog
from streams.scope import TenantScope
from tests.keyvault.made import KEPT, NOW, POLICY, with_policy
from tests.keyvault.store_vault.mounted import Mounted
from tests.services.nodes import Node, register
from tests.stepped import unavailable
from tests.virtual_nodes import VirtualNode, alive, kept, virtual_node

Work = Callable[[TenantScope, Node], Coroutine[Any, Any, object]]

OTHER: Final = with_policy(algorithm=Algorithm.ES256)
THIRD: Final = with_policy(algorithm=Algorithm.ES384)


async def settle(scope: TenantScope, here: Node) -> None:
    await here.custodian.settle(scope)


async def by_hand(scope: TenantScope, here: Node) -> None:
    await here.custodian.rotate(scope, activate=True, reason="a test", by="test", command="once")


async def first_is_compromised(scope: TenantScope, here: Node) -> None:
    kid = here.rings.of(scope.tenant).keys[0].kid
    await here.custodian.compromise(scope, kid, reason="a test", by="test", command="report")


async def another_algorithm(scope: TenantScope, here: Node, policy: Policy = OTHER) -> None:
    await here.custodian.change_policy(scope, policy, by="test", command=None)


SCENARIOS: Final[dict[str, list[tuple[int, Work]]]] = {
    "a rotation": [(0, settle), (90 * DAY, settle), (90 * DAY + KEPT, settle)],
    "by hand": [(0, settle), (HOUR, by_hand), (HOUR + KEPT, settle)],
    "an emergency": [(0, settle), (HOUR, first_is_compromised), (HOUR + 10 * MINUTE, settle), (3 * HOUR, settle)],
    "another algorithm": [(0, settle), (HOUR, another_algorithm), (27 * HOUR, settle), (29 * HOUR, settle)],
}
"""What is done, and how long after the tenant was registered; each time, the scheduler does at once what it makes due."""


@dataclass
class Stage:
    """A log and a key store, on which each run has a tenant of its own."""

    log: SqliteEventLog
    store: KeyStore
    now: int = NOW
    numbers: count[int] = field(default_factory=count)

    async def run(self, scenario: list[tuple[int, Work]], *, at: int = -1, how: str = "", then: Policy | None = None) -> tuple[Ring, int]:
        """The ring after a scenario that was disturbed at one of its steps, and how many steps that could be.

        Args:
            scenario: each of its parts is done again if it was disturbed, as the scheduler and people do.
            at: the number of the step.
            how: `crash`, or `no answer` from the port.
            then: the policy that is set next after the disturbance.
        """
        scope, self.now, steps = TenantScope(f"tenant-{next(self.numbers)}"), NOW, 0
        await register(self.log, [scope.tenant], POLICY, clock=lambda: NOW)
        async with virtual_node(self.log, self.store, lambda: self.now) as one:
            for after, work in scenario:
                self.now = NOW + after
                operation = await one.begin(partial(work, scope))
                while not operation.over:
                    if steps != at:
                        await operation.go_on()
                    elif how == "crash":
                        await one.crash()
                        await one.start()
                    elif (step := operation.step) is not None and (step.port == "store" or not step.answered):
                        await operation.go_on(unavailable(step))
                        await operation.finish()
                    else:
                        await operation.finish()
                    steps += 1
                if steps > at >= 0:
                    if then is not None:
                        await one.do(partial(another_algorithm, scope, policy=then))
                        then = None
                    await one.do(partial(work, scope))
                await one.do(partial(settle, scope))
            ring = await self.settled(one, scope)
            assert await alive(self.store, scope, range(1, ring.next_ordinal + 2)) == kept(ring)
        return ring, steps

    async def settled(self, one: VirtualNode, scope: TenantScope) -> Ring:
        """The ring when everything has been done that is due soon."""
        until = self.now + IN_FLIGHT + KEPT
        while True:
            operation = await one.do(partial(settle, scope))
            assert operation.refused is None
            ring = one.here.rings.of(scope.tenant)
            when = next_due(ring, ring.policy, self.now)
            assert when is not None
            if when > until:
                return ring
            self.now = max(self.now, when)


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteEventLog]:
    log = SqliteEventLog(tmp_path / "log.sqlite")
    yield log
    await log.close()


def history(ring: Ring) -> list[tuple[object, ...]]:
    """All that the ring tells but the keys themselves."""

    def told(key: Key) -> tuple[object, ...]:
        times = key.published_at, key.activated_at, key.deactivated_at, key.publish_until, key.compromised_at, key.destroyed_at
        return key.ordinal, key.algorithm, key.state, *times

    return [told(key) for key in ring.keys]


def sound(ring: Ring) -> None:
    states = [key.state for key in ring.keys]
    assert (states.count(KeyState.ACTIVE), states.count(KeyState.PRE_ACTIVATION)) == (1, 1)
    assert len({key.ordinal for key in ring.keys}) == len({key.kid for key in ring.keys}) == len(states)


async def disturb(stage: Stage, scenario: list[tuple[int, Work]], every: int) -> None:
    """Disturbs every so manieth step of the scenario."""
    undisturbed, steps = await stage.run(scenario)
    sound(undisturbed)
    assert steps > 15
    for how in ("crash", "no answer"):
        for at in range(min(3, every - 1), steps, every):  # the third is the answer about the first key
            ring, _ = await stage.run(scenario, at=at, how=how)
            assert history(ring) == history(undisturbed), f"{how} at step {at}"
            ring, _ = await stage.run(scenario, at=at, how=how, then=THIRD)
            sound(ring)


LONG: Final = [pytest.mark.long, pytest.mark.timeout(1800)]


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=LONG)], ids=["some", "all"])
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_at_the_embedded_key_store(log: SqliteEventLog, tmp_path: Path, scenario: str, every: int) -> None:
    store = FileKeyStore(tmp_path / "keys", MasterKey(bytes(32)))
    await disturb(Stage(log, store), SCENARIOS[scenario], every)
    await store.close()


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=LONG)], ids=["some", "all"])
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_at_openbao(log: SqliteEventLog, openbao: Any, scenario: str, every: int) -> None:
    store = VaultKeyStore(Mounted(openbao).connection())
    await disturb(Stage(log, store), SCENARIOS[scenario], every)
    await store.close()
