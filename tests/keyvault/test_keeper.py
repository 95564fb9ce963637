"""The keeper and the file store: races, crashes and outages between the key store and the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from keyvault import commands
from keyvault.algorithms import Algorithm
from keyvault.due import Destroy, due
from keyvault.errors import KeyDestroyed, KeyStoreUnavailable
from keyvault.events import KeyEvent
from keyvault.jwk import PublicJwk
from keyvault.keeper import Keeper
from keyvault.key import KeyState
from keyvault.key_store import KeyName
from keyvault.leftover import IN_FLIGHT
from keyvault.master_key import MasterKey
from keyvault.plan import Outcome, Plan
from keyvault.ring import Ring
from keyvault.store_file import FileKeyStore
from streams.scope import TenantScope
from tests.keyvault.made import KEPT, NOW, POLICY, with_policy

ACME = TenantScope("acme")
WHY = "a laptop was stolen"


class Log:
    """What a caller of the keeper has: a log with append-if-unchanged, here a list."""

    def __init__(self) -> None:
        self.events: list[KeyEvent] = []

    @property
    def ring(self) -> Ring:
        return Ring.fold(self.events)

    async def commit(self, keeper: Keeper, planning: Callable[[Ring], Plan]) -> Outcome:
        """The optimistic loop."""
        while True:
            version = len(self.events)
            plan = planning(self.ring)
            events = await keeper.carry_out(ACME, self.ring, plan)
            if version == len(self.events):
                self.events.extend(events)
                return plan.outcome


class HangingKeyStore(FileKeyStore):
    """A store that answers nothing while it hangs."""

    hanging = False
    unanswered = 0
    """How many of the next keys are made without an answer."""

    async def create(self, name: KeyName) -> PublicJwk:
        if self.hanging:
            await asyncio.Event().wait()
        jwk = await super().create(name)
        if self.unanswered:
            self.unanswered -= 1
            raise KeyStoreUnavailable("no answer within 5 seconds")
        return jwk


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[HangingKeyStore]:
    store = HangingKeyStore(tmp_path / "keys", MasterKey(bytes(32)))
    yield store
    await store.close()


@pytest.fixture
def keeper(store: HangingKeyStore) -> Keeper:
    return Keeper(store, patience=0.05)


@pytest.fixture
async def log(keeper: Keeper) -> Log:
    log = Log()
    await log.commit(Keeper(keeper._store), lambda ring: commands.scheduled(ring, POLICY, NOW))
    return log


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "keys" / "acme").iterdir())


async def test_the_rings_keys_are_those_of_the_store(log: Log, store: HangingKeyStore) -> None:
    for key in log.ring.keys:
        assert await store.public_key(KeyName(ACME, key.ordinal, key.algorithm)) == key.jwk
    assert [key.state for key in log.ring.keys] == [KeyState.ACTIVE, KeyState.PRE_ACTIVATION]


async def test_of_fifty_forced_rotations_at_once_there_is_one_successor(log: Log, keeper: Keeper, tmp_path: Path) -> None:
    seen = log.ring.active
    assert seen is not None

    def rotation(ring: Ring) -> Plan:
        return commands.rotate(ring, POLICY, NOW, activate=True, reason=WHY, instead_of=seen.kid)

    outcomes = await asyncio.gather(*(log.commit(keeper, rotation) for _ in range(50)))
    assert outcomes.count(Outcome.ACTIVATED) == 1
    assert outcomes.count(Outcome.UNCHANGED) == 49
    assert [key.state for key in log.ring.keys] == [KeyState.DEACTIVATED, KeyState.ACTIVE]
    assert files(tmp_path) == ["1-EdDSA.key", "2-EdDSA.key"]


async def test_of_fifty_first_settlements_at_once_there_are_two_keys(store: HangingKeyStore, tmp_path: Path) -> None:
    log, keeper = Log(), Keeper(store)
    await asyncio.gather(*(log.commit(keeper, lambda ring: commands.scheduled(ring, POLICY, NOW)) for _ in range(50)))
    assert len(log.ring.keys) == 2
    assert files(tmp_path) == ["1-EdDSA.key", "2-EdDSA.key"]


async def test_a_key_that_was_created_and_never_logged_is_found_and_used(log: Log, keeper: Keeper, tmp_path: Path) -> None:
    due_then = commands.scheduled(log.ring, POLICY, NOW + 90 * 86_400_000)
    lost = await keeper.carry_out(ACME, log.ring, due_then)  # … and then the process was killed
    again = await keeper.carry_out(ACME, log.ring, due_then)
    assert again == lost
    assert files(tmp_path) == ["1-EdDSA.key", "2-EdDSA.key", "3-EdDSA.key"]


async def test_a_first_key_that_was_made_without_an_answer_is_found_and_used(store: HangingKeyStore, tmp_path: Path) -> None:
    log, keeper = Log(), Keeper(store)
    store.unanswered = 1
    with pytest.raises(KeyStoreUnavailable):
        await log.commit(keeper, lambda ring: commands.scheduled(ring, POLICY, NOW))
    await log.commit(keeper, lambda ring: commands.scheduled(ring, POLICY, NOW))
    assert [key.ordinal for key in log.ring.keys] == [1, 2]
    assert files(tmp_path) == ["1-EdDSA.key", "2-EdDSA.key"]


async def test_a_key_of_another_algorithm_that_was_created_and_never_logged_is_destroyed(store: HangingKeyStore) -> None:
    log, keeper = Log(), Keeper(store)
    await log.commit(keeper, lambda ring: commands.change_policy(ring, POLICY, NOW))
    await log.commit(keeper, lambda ring: commands.scheduled(ring, ring.policy, NOW))
    turn = NOW + 90 * 86_400_000
    await keeper.carry_out(ACME, log.ring, commands.scheduled(log.ring, log.ring.policy, turn))  # … and then the process was killed
    left = KeyName(ACME, 3, Algorithm.EDDSA)
    await store.public_key(left)
    await log.commit(keeper, lambda ring: commands.change_policy(ring, with_policy(algorithm=Algorithm.ES256), turn))
    for later in (turn, turn + IN_FLIGHT + POLICY.clock_skew):
        await log.commit(keeper, lambda ring, now=later: commands.scheduled(ring, ring.policy, now))  # type: ignore[misc]
    with pytest.raises(KeyDestroyed):
        await store.public_key(left)
    assert log.ring.keys[2].algorithm is Algorithm.ES256
    assert await store.public_key(KeyName(ACME, 3, Algorithm.ES256)) == log.ring.keys[2].jwk


async def test_what_the_store_is_slow_about_happens_when_it_is_done(log: Log, store: HangingKeyStore) -> None:
    times = iter([NOW + 7000])
    await log.commit(Keeper(store, now=lambda: next(times)), lambda ring: commands.rotate(ring, POLICY, NOW, activate=True, reason=WHY))
    first, second = log.ring.keys
    assert (first.deactivated_at, second.activated_at, first.publish_until) == (NOW + 7000, NOW + 7000, NOW + 7000 + KEPT)


async def test_a_name_that_was_destroyed_is_skipped(store: HangingKeyStore) -> None:
    for ordinal in (1, 2):
        await store.create(KeyName(ACME, ordinal, Algorithm.EDDSA))
        await store.destroy(KeyName(ACME, ordinal, Algorithm.EDDSA))
    log = Log()
    await log.commit(Keeper(store), lambda ring: commands.scheduled(ring, POLICY, NOW))
    assert [key.ordinal for key in log.ring.keys] == [3, 4]


async def test_an_old_key_is_destroyed_in_the_store(log: Log, store: HangingKeyStore) -> None:
    keeper, turn = Keeper(store), NOW + 90 * 86_400_000
    for now in (turn, turn + KEPT):
        await log.commit(keeper, lambda ring, now=now: commands.scheduled(ring, POLICY, now))  # type: ignore[misc]
    assert log.ring.keys[0].state is KeyState.DESTROYED
    again = Plan(at=turn, policy=POLICY, outcome=Outcome.DESTROYED, actions=())
    assert await keeper.carry_out(ACME, log.ring, again) == ()


async def test_an_old_key_that_the_store_has_lost_counts_as_destroyed(log: Log, store: HangingKeyStore, tmp_path: Path) -> None:
    keeper, turn = Keeper(store), NOW + 90 * 86_400_000
    await log.commit(keeper, lambda ring: commands.scheduled(ring, POLICY, turn))
    (tmp_path / "keys" / "acme" / "1-EdDSA.key").unlink()
    await log.commit(keeper, lambda ring: commands.scheduled(ring, POLICY, turn + KEPT))
    assert log.ring.keys[0].state is KeyState.DESTROYED


async def test_an_old_key_is_destroyed_when_the_store_is_back(log: Log, store: HangingKeyStore) -> None:
    keeper, turn = Keeper(store), NOW + 90 * 86_400_000
    await log.commit(keeper, lambda ring: commands.scheduled(ring, POLICY, turn))
    await store.close()
    with pytest.raises(KeyStoreUnavailable):
        await log.commit(keeper, lambda ring: commands.scheduled(ring, POLICY, turn + KEPT))
    assert log.ring.keys[0].state is KeyState.DEACTIVATED
    assert due(log.ring, POLICY, turn + KEPT) == [Destroy(log.ring.keys[0].kid)]


@pytest.mark.parametrize("how", ["hangs", "is closed"])
async def test_when_the_store_is_away_the_bad_key_leaves_all_the_same(log: Log, keeper: Keeper, store: HangingKeyStore, how: str) -> None:
    bad = log.ring.keys[0].kid
    if how == "hangs":
        store.hanging = True
    else:
        await store.close()
    await log.commit(keeper, lambda ring: commands.compromise(ring, POLICY, NOW, bad, reason=WHY))
    assert log.ring.jwks(NOW).find(bad) is None
    assert log.ring.active == log.ring.keys[1]
    assert due(log.ring, POLICY, NOW) != []


async def test_when_the_store_is_back_the_ring_is_whole_again(log: Log, keeper: Keeper, store: HangingKeyStore) -> None:
    store.hanging = True
    for key in log.ring.keys:
        await log.commit(keeper, lambda ring, kid=key.kid: commands.compromise(ring, POLICY, NOW, kid, reason=WHY))  # type: ignore[misc]
    broken = log.ring
    assert broken.active is None
    assert broken.jwks(NOW).keys == ()
    with pytest.raises(KeyStoreUnavailable, match="did not answer within"):
        await log.commit(keeper, lambda ring: commands.scheduled(ring, POLICY, NOW))
    store.hanging = False
    await log.commit(Keeper(store), lambda ring: commands.scheduled(ring, POLICY, NOW))
    assert log.ring.active is not None
    assert log.ring.standby is not None


async def test_a_rotation_fails_as_a_whole_when_the_store_is_away(log: Log, keeper: Keeper, store: HangingKeyStore) -> None:
    seen = [*log.events]
    await log.commit(keeper, lambda ring: commands.rotate(ring, POLICY, NOW, activate=True, reason=WHY))
    await store.close()
    with pytest.raises(KeyStoreUnavailable):
        await log.commit(keeper, lambda ring: commands.rotate(ring, POLICY, NOW))
    assert len(log.events) == len(seen) + 2
