"""Approvals on two nodes at once: of all who decide, one does, and it is what the log says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec
import pytest

from keyvault.approval import Approval, ApprovalState
from keyvault.errors import ApprovalClosed, KeyStoreUnavailable
from keyvault.key import KeyState
from keyvault.plan import Outcome
from keyvault.policy import Policy
from services.access.principal import Principal
from services.access.scopes import Scope
from services.access.secret import new_secret
from services.access.tokens import minted
from services.keys.custodian import Done
from services.parts import now_ms
from streams.event_log import CONTROL, EventLog, NewRecord
from streams.scope import TenantScope
from tests.services.nodes import Node, WatchedStore, engines, node, register

SCOPES: Final = frozenset({Scope.KEYS_ROTATE, Scope.KEYS_REVOKE})
POLICY: Final = Policy.parse({"algorithm": "EdDSA", "dual_control": ["compromise", "destroy", "force"], "approval_window": "PT1H"})
TENANTS: Final = [f"t{number}" for number in range(12)]
ACME: Final = TenantScope("t0")
WHY: Final = "found in a public repository"


class Clock:
    """A clock that stands a while ahead of the real one."""

    ahead = 0

    def __call__(self) -> int:
        return now_ms() + self.ahead


class Hanging(asyncio.Event):
    """Set when the key store may answer; says when it was first asked."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()

    async def wait(self) -> Literal[True]:
        self.begun.set()
        return await super().wait()


@dataclass
class Two:
    """Two nodes on one log and one key store, each with a clock of its own, and three people of every tenant."""

    log: EventLog
    store: WatchedStore
    first: Node
    second: Node
    clock: Clock
    people: dict[str, list[Principal]]

    async def ask(self, tenant: str) -> Approval:
        """The first person reports the active key."""
        active = self.first.rings.of(tenant).active
        assert active is not None
        ada = self.people[tenant][0]
        done = await self.first.custodian.compromise(TenantScope(tenant), active.kid, reason=WHY, by=ada.id, command=None)
        assert done.approval is not None
        return done.approval

    async def approve(self, where: Node, tenant: str, approval: Approval, person: int = 1) -> Done:
        return await where.approvals.approve(TenantScope(tenant), approval.id, by=self.people[tenant][person], command=None)

    async def withdraw(self, where: Node, tenant: str, approval: Approval, person: int = 0) -> Done:
        return await where.approvals.withdraw(TenantScope(tenant), approval.id, reason=None, by=self.people[tenant][person], command=None)


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    async with engines(tmp_path) as (log, store):
        await register(log, TENANTS, POLICY)
        people = {tenant: [await mint(log, tenant, name) for name in ("ada", "grace", "linus")] for tenant in TENANTS}
        clock = Clock()
        async with node(log, store) as first, node(log, store, clock=clock, schedules=False) as second:
            await first.settled()
            await second.control.catch_up()
            yield Two(log, store, first, second, clock, people)


async def mint(log: EventLog, tenant: str, name: str) -> Principal:
    """A person of the tenant, with a token that an operator has minted."""
    secret = new_secret()
    event = minted(secret, name, SCOPES, "operator:0000", now_ms())
    await log.append([NewRecord(CONTROL, msgspec.json.encode(event), tenant)])
    return Principal(f"token:{secret.id}", name, tenant, SCOPES)


async def test_of_two_who_approve_at_once_one_does(two: Two) -> None:
    async def race(tenant: str) -> None:
        approval = await two.ask(tenant)
        answers = await asyncio.gather(
            two.approve(two.first, tenant, approval, 1), two.approve(two.second, tenant, approval, 2), return_exceptions=True
        )
        [done] = [answer for answer in answers if isinstance(answer, Done)]
        [error] = [answer for answer in answers if isinstance(answer, BaseException)]
        assert isinstance(error, ApprovalClosed)
        assert done.approval is not None
        assert str(done.approval.closed_by) in str(error)

    await asyncio.gather(*(race(tenant) for tenant in TENANTS))
    await same_everywhere(two)
    for tenant in TENANTS:
        assert sorted(key.state for key in two.first.rings.of(tenant).keys) == ["active", "compromised", "pre-activation"]


async def test_of_one_who_approves_and_one_who_withdraws_one_wins(two: Two) -> None:
    async def race(tenant: str) -> ApprovalState:
        approval = await two.ask(tenant)
        answers = await asyncio.gather(
            two.approve(two.second, tenant, approval), two.withdraw(two.first, tenant, approval), return_exceptions=True
        )
        [done] = [answer for answer in answers if isinstance(answer, Done)]
        assert [type(answer) for answer in answers if answer is not done] == [ApprovalClosed]
        assert done.approval is not None
        assert done.approval.closed is not None
        return done.approval.closed

    ends = await asyncio.gather(*(race(tenant) for tenant in TENANTS))
    await same_everywhere(two)
    for tenant, end in zip(TENANTS, ends, strict=True):
        compromised = any(key.state is KeyState.COMPROMISED for key in two.first.rings.of(tenant).keys)
        assert compromised == (end is ApprovalState.GIVEN)


async def test_a_node_approves_what_was_asked_for_at_another_a_moment_ago(two: Two) -> None:
    for tenant in TENANTS:
        assert (await two.approve(two.second, tenant, await two.ask(tenant))).outcome is Outcome.COMPROMISED


async def test_a_node_whose_clock_says_that_it_is_too_late_does_not_approve(two: Two) -> None:
    approval = await two.ask("t0")
    two.clock.ahead = POLICY.approval_window
    with pytest.raises(ApprovalClosed, match="expired"):
        await two.approve(two.second, "t0", approval)
    assert (await two.approve(two.first, "t0", approval)).outcome is Outcome.COMPROMISED


async def test_what_is_withdrawn_while_the_key_store_works_is_not_done(two: Two) -> None:
    ada, grace, _ = two.people["t0"]
    await two.first.scheduler.stop()  # so that nobody else makes the successor, which the rotation needs
    before = two.first.rings.of("t0")
    assert before.standby is not None
    two.store.broken["t0"] = KeyStoreUnavailable("away")
    asked = await two.first.custodian.compromise(ACME, before.standby.kid, reason=WHY, by=ada.id, command=None)
    assert asked.approval is not None
    await two.approve(two.first, "t0", asked.approval)
    two.store.hanging["t0"] = answering = Hanging()
    del two.store.broken["t0"]
    asked = await two.second.custodian.rotate(ACME, activate=True, reason=WHY, by=ada.id, command=None)
    assert asked.approval is not None
    approving = asyncio.create_task(two.second.approvals.approve(ACME, asked.approval.id, by=grace, command=None))
    await answering.begun.wait()
    await two.withdraw(two.first, "t0", asked.approval)
    answering.set()
    with pytest.raises(ApprovalClosed, match="was withdrawn"):
        await approving
    assert two.second.rings.of("t0").active == before.active


async def test_while_the_key_store_is_away_it_stays_pending(two: Two) -> None:
    ada, grace, _ = two.people["t0"]
    compromised = (await two.approve(two.first, "t0", await two.ask("t0"))).kid
    assert compromised is not None
    asked = await two.first.custodian.destroy(ACME, compromised, by=ada.id, command=None)
    assert asked.approval is not None
    two.store.broken["t0"] = KeyStoreUnavailable("away")
    with pytest.raises(KeyStoreUnavailable):
        await two.first.approvals.approve(ACME, asked.approval.id, by=grace, command=None)
    assert asked.approval in two.first.rings.of("t0").approvals.pending(now_ms())
    del two.store.broken["t0"]
    assert (await two.first.approvals.approve(ACME, asked.approval.id, by=grace, command=None)).outcome is Outcome.DESTROYED


async def same_everywhere(two: Two) -> None:
    """Both nodes, and whoever reads the log anew, have the same rings."""
    await two.first.control.catch_up()
    await two.second.control.catch_up()
    async with node(two.log, two.store, schedules=False) as third:
        for tenant in TENANTS:
            assert two.first.rings.of(tenant) == two.second.rings.of(tenant) == third.rings.of(tenant)
