"""What holds for a key ring whatever people do, whatever the clock says, and whenever the key store is away."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from keyvault import commands, events, import_commands
from keyvault.algorithms import Algorithm
from keyvault.due import Destroy, due, next_due
from keyvault.durations import DAY, HOUR, MINUTE, SECOND
from keyvault.errors import InvalidImport, NotYetDue, TooManyPublishedKeys, UnknownKid, WrongState
from keyvault.events import KeyActivated, KeyDeactivated, KeyEvent, KeyImported, KeyPrepared
from keyvault.jwk import PublicJwk
from keyvault.jwks import Jwks
from keyvault.key import Key, KeyState
from keyvault.plan import Outcome, Plan
from keyvault.rate import Rate
from keyvault.readiness import ready_at
from keyvault.ring import Ring
from keyvault.wave import Request
from tests.keyvault.made import NOW, POLICY, History, private

WHY = "because"
POLICIES = [
    POLICY,
    msgspec.structs.replace(POLICY, algorithm=Algorithm.ES256),
    msgspec.structs.replace(POLICY, max_token_lifetime=24 * HOUR, max_published_keys=3),
    msgspec.structs.replace(POLICY, rotation_period=DAY + 2 * HOUR, max_published_keys=8),
    msgspec.structs.replace(POLICY, jwks_max_age=DAY, publish_ahead=2 * DAY),
    msgspec.structs.replace(
        POLICY,
        rotation_period=6 * SECOND,
        publish_ahead=2 * SECOND,
        max_token_lifetime=SECOND,
        clock_skew=0,
        jwks_max_age=SECOND,
    ),
]
STEPS = [1, 500, SECOND, 3 * SECOND, MINUTE, 10 * MINUTE, HOUR, 25 * HOUR, 30 * DAY, 91 * DAY]


FOREIGN = [
    PublicJwk.from_public_key(private(900 + number, algorithm).public_key(), algorithm, f"idp-{number}")
    for number, algorithm in enumerate([Algorithm.EDDSA, Algorithm.EDDSA, Algorithm.ES256])
]
"""Keys of the IDP that the tenant comes from."""


class RingMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.history = History()
        self.now = NOW
        self.latest = NOW  # the clock of a node may jump back; time itself does not
        self.away = False
        self.tokens: list[tuple[str, int, int]] = []  # kid, signed at, expires at
        self.foreign: dict[str, int] = {}  # kid, and until when tokens from elsewhere are to verify
        self.snapshots: dict[int, Jwks] = {}
        self.copies: dict[frozenset[str], int] = {}  # what HTTP caches may hold (`kid`s), and until when
        self.orphaned = False  # the active key was compromised while the store was away
        self.change_policy(POLICY)
        self.settle()

    @property
    def ring(self) -> Ring:
        return self.history.ring

    def carry_out(self, plan: Plan) -> None:
        """Carries the plan out, and looks at each event that comes of it."""
        before, policy = self.ring, self.ring.policy
        if self.away and not plan.best_effort and (plan.creations or plan.destructions):
            return  # the keeper raises KeyStoreUnavailable
        count = len(before.published(self.now))
        for event in self.history.carry_out(plan, away=self.away):
            assert event.at >= before.changed_at
            self.check_the_caches(event, before)
            # Those taken earlier in the same millisecond, and those of a future that the clock jumped back from.
            self.snapshots = {moment: jwks for moment, jwks in self.snapshots.items() if moment < event.at}
            if isinstance(event, KeyDeactivated):
                # Signed by a clock that was ahead by more than clock_skew: nobody promised anything about those.
                skewed = event.at + policy.clock_skew
                self.tokens = [token for token in self.tokens if token[0] != event.kid or token[1] <= skewed]
            if isinstance(event, KeyActivated) and event.forced is None and before.active is not None:
                assert event.at >= ready_at(self.ring, policy, self.ring.find(event.kid))
            if isinstance(event, KeyActivated):
                self.check_the_turn(event, before, scheduled=plan.outcome is Outcome.SCHEDULED)
            if isinstance(event, KeyPrepared | KeyImported) and before.active is not None:
                assert len(self.ring.published(self.now)) <= max(policy.max_published_keys, count)
        if self.ring.active is not None:
            self.orphaned = False
        elif before.active is not None:
            assert self.away
            assert before.standby is None
            self.orphaned = True

    def check_the_caches(self, event: KeyEvent, before: Ring) -> None:
        """No key signs, unless somebody forces it, while an HTTP cache may hold a JWKS without it. What they hold is counted here."""
        if isinstance(event, KeyActivated) and event.forced is None and before.active is not None:
            known = self.ring.find(event.kid).known_since is not None  # elsewhere, as somebody says
            assert known or all(until <= event.at for kids, until in self.copies.items() if event.kid not in kids)
        if before.keys:  # some cache fetches at the last moment before the event
            kids = frozenset(key.kid for key in before.published(event.at))
            until = event.at + before.policy.jwks_max_age + before.policy.clock_skew
            self.copies[kids] = max(until, self.copies.get(kids, 0))

    def check_the_turn(self, event: KeyActivated, before: Ring, *, scheduled: bool) -> None:
        """What the schedule has activated was due, by the rotation period or by the turn of a wave; and the wave has its answer."""
        key, active, asked = self.ring.find(event.kid), before.active, before.requested
        assert self.ring.requested is None or event.at <= self.ring.requested.at
        if event.wave is not None:
            assert scheduled
            assert asked is not None
            assert event.wave == asked.wave
            assert event.at >= asked.due_at
        if scheduled and active is not None and active.activated_at is not None:
            turns = [active.activated_at + before.policy.rotation_period, *([asked.due_at] if asked is not None else [])]
            assert key.emergency or key.imported or key.algorithm is not active.algorithm or event.at >= min(turns)

    @rule(wave=st.sampled_from(["first", "second"]), step=st.sampled_from(STEPS))
    def a_wave_asks(self, wave: str, step: int) -> None:
        before = self.ring
        self.history.ring = before.ask(Request(wave, self.now, self.now + step, Rate(1, SECOND)))
        assert replace(self.ring, requested=None) == replace(before, requested=None)

    @rule(wave=st.sampled_from(["first", "second"]))
    def a_wave_is_stopped(self, wave: str) -> None:
        self.history.ring = self.ring.release(wave)
        assert self.ring.requested is None or self.ring.requested.wave != wave

    def some_key(self, data: st.DataObject) -> Key:
        """One of the newest, or an imported one."""
        return data.draw(st.sampled_from([*(key for key in self.ring.keys if key.imported), *self.ring.keys[-4:]]))

    @rule(jwk=st.sampled_from(FOREIGN), step=st.sampled_from(STEPS), private=st.booleans())
    def publish_a_foreign_key(self, jwk: PublicJwk, step: int, private: bool) -> None:
        """With `private`: an import of its private half, which may go no further than this."""
        try:
            plan = import_commands.publish(self.ring, self.ring.policy, self.now, [jwk], self.now + step, private=private)
        except TooManyPublishedKeys:
            assert len(self.ring.published(self.now)) >= self.ring.policy.max_published_keys
            return
        except InvalidImport:
            assert self.now + step <= self.ring.changed_at, "the clock has jumped back"
            return
        except WrongState:
            key = self.ring.find(jwk.kid)
            ending = key.stored and not key.published(self.now + self.ring.policy.clock_skew)
            assert key.compromised_at is not None or key.destroyed_at is not None or ending
            return
        self.carry_out(plan)
        if not private:
            self.foreign[jwk.kid] = max(self.foreign.get(jwk.kid, 0), self.now + step)
        assert self.ring.jwks(self.now).find(jwk.kid) == jwk or self.ring.find(jwk.kid).activated_at is not None

    @rule(jwk=st.sampled_from(FOREIGN), known=st.sampled_from([None, *STEPS]), activate=st.booleans())
    def adopt_a_foreign_key(self, jwk: PublicJwk, known: int | None, activate: bool) -> None:
        since = None if known is None else self.now - known
        ring = self.ring
        try:
            assume(ring.find(jwk.kid).stored)
            plan = import_commands.adopt(ring, ring.policy, self.now, jwk.kid, known_since=since, activate=activate, reason=WHY)
        except (UnknownKid, InvalidImport, WrongState):
            return
        self.carry_out(plan)
        if plan.outcome is Outcome.ACTIVATED:
            assert self.ring.active == self.ring.find(jwk.kid)

    @rule()
    def settle(self) -> None:
        self.carry_out(commands.scheduled(self.ring, self.ring.policy, self.now))
        if not self.away:
            withdrawn = due(self.ring, self.ring.policy, self.now)  # a standby that was replaced may be destroyed next
            assert all(isinstance(action, Destroy) for action in withdrawn)
            self.carry_out(commands.scheduled(self.ring, self.ring.policy, self.now))
            assert due(self.ring, self.ring.policy, self.now) == []
            wake = next_due(self.ring, self.ring.policy, self.now)
            assert wake is not None
            assert wake > self.now
            assert due(self.ring, self.ring.policy, wake)
            if wake > self.now + 1:
                assert due(self.ring, self.ring.policy, wake - 1) == []

    @rule(activate=st.booleans())
    def rotate(self, activate: bool) -> None:
        try:
            plan = commands.rotate(self.ring, self.ring.policy, self.now, activate=activate, reason=WHY)
        except TooManyPublishedKeys:
            assert len(self.ring.published(self.now)) >= self.ring.policy.max_published_keys
            return
        self.carry_out(plan)

    @rule(data=st.data(), reason=st.sampled_from([None, WHY]))
    @precondition(lambda self: self.ring.keys)
    def activate(self, data: st.DataObject, reason: str | None) -> None:
        key = self.some_key(data)
        try:
            plan = commands.activate(self.ring, self.ring.policy, self.now, key.kid, reason=reason)
        except NotYetDue:
            assert reason is None
            return
        except WrongState:
            return
        self.carry_out(plan)

    @rule(data=st.data())
    @precondition(lambda self: self.ring.keys)
    def compromise(self, data: st.DataObject) -> None:
        key = self.some_key(data)
        assume(key.state is not KeyState.DESTROYED)
        self.carry_out(commands.compromise(self.ring, self.ring.policy, self.now, key.kid, reason=WHY))
        assert self.ring.find(key.kid).state is KeyState.COMPROMISED
        assert self.ring.jwks(self.now).find(key.kid) is None

    @rule(data=st.data())
    @precondition(lambda self: self.ring.keys)
    def destroy(self, data: st.DataObject) -> None:
        key = self.some_key(data)
        try:
            plan = commands.destroy(self.ring, self.ring.policy, self.now, key.kid)
        except (NotYetDue, WrongState):
            return
        self.carry_out(plan)

    @rule(policy=st.sampled_from(POLICIES))
    def change_policy(self, policy: object) -> None:
        assert isinstance(policy, type(POLICY))
        self.carry_out(commands.change_policy(self.ring, policy, self.now))

    @rule(step=st.sampled_from(STEPS))
    def somebody_shortens_the_caches_of_a_new_standby(self, step: int) -> None:
        self.rotate(activate=True)
        self.settle()
        self.change_policy(POLICIES[-1])
        self.now += step
        self.rotate(activate=False)

    @rule()
    def the_store_leaves_or_comes_back(self) -> None:
        self.away = not self.away

    @rule(step=st.sampled_from(STEPS))
    def time_passes(self, step: int) -> None:
        self.now += step

    @rule(step=st.sampled_from(STEPS[:7]))
    def the_clock_jumps_back(self, step: int) -> None:
        self.now -= step

    @rule()
    def time_passes_until_something_is_due(self) -> None:
        self.now = max(self.now, next_due(self.ring, self.ring.policy, self.now) or 0)

    @rule()
    def sign(self) -> None:
        if self.ring.active is not None:
            self.tokens.append((self.ring.active.kid, self.now, self.now + self.ring.policy.max_token_lifetime))

    @rule()
    def remember_the_jwks(self) -> None:
        if self.now >= self.ring.changed_at:
            self.snapshots[self.now] = self.ring.jwks(self.now)

    @invariant()
    def exactly_one_key_is_active(self) -> None:
        active = [key for key in self.ring.keys if key.state is KeyState.ACTIVE]
        assert len(active) == (0 if self.orphaned else 1)
        assert sum(key.state is KeyState.PRE_ACTIVATION for key in self.ring.keys) <= 1

    @invariant()
    def every_token_that_has_not_expired_verifies_unless_its_key_was_compromised(self) -> None:
        self.latest = max(self.latest, self.now)
        jwks = self.ring.jwks(self.now)
        for kid, _, expires_at in self.tokens:
            if self.latest < expires_at and self.ring.find(kid).compromised_at is None:
                assert jwks.find(kid) is not None
        for kid, until in self.foreign.items():
            assert until <= self.latest or self.ring.find(kid).compromised_at is not None or jwks.find(kid) is not None

    @invariant()
    def no_compromised_or_destroyed_key_is_published(self) -> None:
        published = self.ring.published(self.now)
        assert all(key.compromised_at is None and key.destroyed_at is None for key in published)
        assert published or self.orphaned

    def teardown(self) -> None:
        folded = Ring.fold(events.decode(events.encode(event)) for event in self.history.events)
        assert folded == replace(self.ring, requested=None)
        for moment, jwks in self.snapshots.items():
            assert Ring.at(self.history.events, moment).jwks(moment) == jwks


@pytest.mark.parametrize(("examples", "steps"), [(150, 40), pytest.param(5000, 80, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
def test_the_invariants_of_a_ring_hold(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        RingMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
