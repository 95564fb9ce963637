"""Whatever is asked for, approved and withdrawn, in whatever order: nothing under dual control is done by fewer than two people."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from keyvault import commands, events
from keyvault.approval import Approval
from keyvault.dual_control import approve, decide, withdraw
from keyvault.due import Destroy, due
from keyvault.durations import DAY, HOUR, MINUTE
from keyvault.errors import ApprovalClosed, RingError, SecondPersonNeeded
from keyvault.events import ApprovalGiven, ApprovalRequested, ApprovalWithdrawn, KeyActivated, KeyCompromised, KeyDestroyed, PolicyChanged
from keyvault.key import KeyState
from keyvault.orders import ActivateKey, ChangePolicy, CompromiseKey, DestroyKey, Order, Rotate
from keyvault.plan import Plan
from keyvault.policy import Guard, Policy
from keyvault.ring import Ring
from tests.keyvault.made import NOW, History, with_policy

PRINCIPALS: Final = ("token:ada", "token:ada-2", "token:grace", "token:linus")
GUARDS: Final = st.sets(st.sampled_from(Guard)).map(lambda guards: tuple(sorted(guards)))
POLICIES: Final = st.builds(
    with_policy,
    dual_control=GUARDS,
    approval_window=st.sampled_from([MINUTE, HOUR, DAY]),
    publish_ahead=st.sampled_from([HOUR, 25 * HOUR]),
    max_published_keys=st.sampled_from([3, 8]),
)
WHY: Final = "because"


def person(principal: str) -> str:
    return principal.removesuffix("-2")


def same(one: str, other: str) -> bool:
    return person(one) == person(other)


class TwoPeople(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.history = History()
        self.now = NOW
        self.asked: dict[str, tuple[str, Order, int]] = {}
        """By whom, for what, until when: what was neither given nor withdrawn."""
        self.away = False
        self.count = 0
        self.history.settle(NOW)
        self.carry_out(commands.change_policy(self.ring, with_policy(dual_control=tuple(Guard)), NOW), people={"the", "founders"})

    @property
    def ring(self) -> Ring:
        return self.history.ring

    def carry_out(self, plan: Plan, people: set[str] | None = None, *, destroying: bool = False) -> None:
        """Carries the plan out, and looks whether as many people as the policy of before wants stand behind each event.

        `people` are those who want it; None is the schedule. `destroying` is whether they want a key destroyed.
        """
        before = self.ring
        if self.away and not plan.best_effort and (plan.creations or plan.destructions):
            return  # the keeper raises KeyStoreUnavailable, and nothing is appended
        done = self.history.carry_out(plan, away=self.away)
        for event in done:
            if isinstance(event, ApprovalRequested):
                self.asked[event.id] = (event.asked_by, event.order, event.until)
            elif isinstance(event, ApprovalWithdrawn):
                del self.asked[event.id]
            elif isinstance(event, ApprovalGiven):
                who, order, until = self.asked.pop(event.id)
                assert event.at < until, "in time"
                assert people is not None
                people |= {person(who), person(event.given_by)}
                assert self.is_what_was_asked(order, done)
            elif people is not None and len(people) < 2:
                assert not self.takes_two(before, event, done, destroying=destroying), event

    @staticmethod
    def takes_two(before: Ring, event: events.KeyEvent, done: tuple[events.KeyEvent, ...], *, destroying: bool) -> bool:
        """An oracle: what takes two people, told from the event alone."""
        guards = before.policy.dual_control
        match event:
            case KeyCompromised():
                return Guard.COMPROMISE in guards
            case KeyDestroyed(kid=kid):
                # A rotation does what is due meanwhile, if nothing signs: that is nobody's wish.
                return Guard.DESTROY in guards and (destroying or Destroy(kid) not in due(before, before.policy, event.at))
            case KeyActivated(forced=forced):
                compromise = any(isinstance(one, KeyCompromised) for one in done)
                return Guard.FORCE in guards and forced is not None and not compromise
            case PolicyChanged(policy=after):
                return any(guard not in after.dual_control for guard in guards)
            case _:
                return False

    @staticmethod
    def is_what_was_asked(order: Order, done: tuple[events.KeyEvent, ...]) -> bool:
        """Whether the events are those of this order."""
        match order:
            case CompromiseKey(kid=kid):
                return any(isinstance(one, KeyCompromised) and one.kid == kid for one in done)
            case DestroyKey(kid=kid):
                return any(isinstance(one, KeyDestroyed) and one.kid == kid for one in done)
            case ActivateKey(kid=kid):
                return any(isinstance(one, KeyActivated) and one.kid == kid for one in done)
            case ChangePolicy(policy=policy):
                return any(isinstance(one, PolicyChanged) and one.policy == policy for one in done)
            case Rotate():
                return any(isinstance(one, KeyActivated) for one in done)

    def order(self, order: Order, by: str) -> None:
        self.count += 1
        try:
            plan = decide(self.ring, self.now, order, by=by, identifier=f"a{self.count}", asker_is_left=lambda _: True)
        except RingError:
            return
        self.carry_out(plan, {person(by)}, destroying=isinstance(order, DestroyKey))

    @rule(by=st.sampled_from(PRINCIPALS), data=st.data(), reason=st.sampled_from([None, WHY]))
    def somebody_asks_for_a_key(self, by: str, data: st.DataObject, reason: str | None) -> None:
        kid = data.draw(st.sampled_from(self.ring.keys[-4:])).kid
        orders: list[Order] = [
            CompromiseKey(kid=kid, reason=reason),
            DestroyKey(kid=kid, reason=reason),
            ActivateKey(kid=kid, reason=reason),
        ]
        self.order(data.draw(st.sampled_from(orders)), by)

    @rule(by=st.sampled_from(PRINCIPALS), activate=st.booleans())
    def somebody_rotates(self, by: str, activate: bool) -> None:
        active = self.ring.active
        self.order(Rotate(activate=activate, reason=WHY, instead_of=active.kid if active else None), by)

    @rule(by=st.sampled_from(PRINCIPALS), policy=POLICIES)
    def somebody_sets_a_policy(self, by: str, policy: Policy) -> None:
        self.order(ChangePolicy(policy=policy), by)
        self.forget_policies()

    @rule(by=st.sampled_from(PRINCIPALS), data=st.data())
    @precondition(lambda self: self.ring.approvals.all)
    def somebody_approves(self, by: str, data: st.DataObject) -> None:
        approval: Approval = data.draw(st.sampled_from(self.ring.approvals.all))
        try:
            plan = approve(self.ring, self.now, approval.id, by=by, same_person=same)
        except SecondPersonNeeded:
            assert same(self.asked[approval.id][0], by)
            return
        except ApprovalClosed:
            assert approval.id not in self.asked or max(self.now, self.ring.changed_at) >= self.asked[approval.id][2]
            return
        except RingError:
            return
        assert not same(self.asked[approval.id][0], by)
        self.carry_out(plan, {person(by)})
        self.forget_policies()

    @rule(by=st.sampled_from(PRINCIPALS), data=st.data())
    @precondition(lambda self: self.ring.approvals.pending(max(self.now, self.ring.changed_at)))
    def somebody_withdraws(self, by: str, data: st.DataObject) -> None:
        pending = self.ring.approvals.pending(max(self.now, self.ring.changed_at))
        self.carry_out(withdraw(self.ring, self.now, data.draw(st.sampled_from(pending)).id, by=by), {person(by)})

    def forget_policies(self) -> None:
        """Pending changes of a policy end with another one: nobody appends that."""
        if isinstance(self.history.events[-1], PolicyChanged):
            self.asked = {name: one for name, one in self.asked.items() if not isinstance(one[1], ChangePolicy)}

    @rule()
    def what_is_due_is_done(self) -> None:
        self.carry_out(commands.scheduled(self.ring, self.ring.policy, self.now))

    @rule(step=st.sampled_from([1, MINUTE, HOUR, 26 * HOUR, 91 * DAY]))
    def time_passes(self, step: int) -> None:
        self.now += step

    @rule()
    def the_clock_jumps_back(self) -> None:
        self.now -= HOUR

    @rule()
    def the_key_store_leaves_or_comes_back(self) -> None:
        self.away = not self.away

    def teardown(self) -> None:
        folded = Ring.fold(events.decode(events.encode(event)) for event in self.history.events)
        assert folded == replace(self.ring, requested=None)
        assert all(key.state is not KeyState.ACTIVE or key.compromised_at is None for key in folded.keys)


@pytest.mark.parametrize(("examples", "steps"), [(150, 40), pytest.param(5000, 80, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def test_nothing_under_dual_control_is_done_by_fewer_than_two(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        TwoPeople,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
