"""A policy holds for what is fetched from then on: until when caches hold what was fetched before, and who waits for that."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyvault import commands
from keyvault.blast_radius import blast_radius
from keyvault.due import activates_at
from keyvault.durations import DAY, HOUR, MINUTE, SECOND
from keyvault.errors import NotYetDue
from keyvault.events import JwksFetched, KeyActivated, PolicyChanged, RelyingPartyRegistered
from keyvault.forecast import Kind, forecast
from keyvault.key import Key
from keyvault.max_ages import MaxAges
from keyvault.plan import Outcome
from keyvault.policy import Policy
from keyvault.readiness import ready_at, safe_at
from keyvault.relying_party import RelyingParty
from tests.keyvault.made import NOW, POLICY, History, jwk, settled, with_policy

DAY_LONG = with_policy(jwks_max_age=DAY, publish_ahead=2 * DAY)
FAST = with_policy(jwks_max_age=SECOND, publish_ahead=2 * SECOND, clock_skew=0)
SKEW = POLICY.clock_skew
LATER = NOW + 10 * DAY
WHY = "a drill"
KEYS = settled().ring.keys


def change(history: History, policy: Policy, at: int) -> None:
    history.append([PolicyChanged(at=at, policy=policy)])


def standby(history: History) -> Key:
    assert history.ring.standby is not None
    return history.ring.standby


def with_new_standby(*parties: RelyingParty) -> History:
    """Key 3 is published since `LATER`, by a policy with which a JWKS may be cached for a day."""
    history = History()
    change(history, DAY_LONG, NOW)
    history.settle(NOW, DAY_LONG)
    history.append(RelyingPartyRegistered(at=NOW, relying_party=party) for party in parties)
    history.carry_out(commands.rotate(history.ring, DAY_LONG, LATER, activate=True, reason=WHY))
    history.settle(LATER, DAY_LONG)
    assert standby(history).ordinal == 3
    return history


def ready(history: History) -> int:
    """When rotating lets the standby sign, in milliseconds after `LATER`; checked by asking just before, and then."""
    when = safe_at(history.ring, history.ring.policy, standby(history))
    assert commands.rotate(history.ring, history.ring.policy, when - 1).outcome is Outcome.WAITING
    assert commands.rotate(history.ring, history.ring.policy, when).outcome is Outcome.ACTIVATED
    return when - LATER


changes = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 12), st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=30)


@given(changes, st.integers(0, 200))
def test_it_is_what_some_cache_that_fetched_in_any_moment_holds(found: list[tuple[int, int, int, int]], time: int) -> None:
    ages, policy, since = MaxAges(), Policy(jwks_max_age=5, clock_skew=1, publish_ahead=8), [0]
    policies = [policy]
    for step, max_age, skew, margin in found:
        after = Policy(jwks_max_age=max_age, clock_skew=skew, publish_ahead=max_age + skew + margin)
        ages = ages.changed(policy, after, since[-1] + step, KEYS)
        policy = after
        since.append(since[-1] + step)
        policies.append(policy)
    fetched = [
        min(time, until) + held.cached
        for start, until, held in zip(since, [*since[1:], time], policies, strict=True)
        if start <= time and min(time, until) >= start
    ]
    longest = max(*fetched, time + policy.cached)
    if len(ages.spans) < 20:
        assert ages.cached_until(time, policy) == longest
    assert longest <= ages.cached_until(time, policy) <= time + max(held.cached for held in policies)
    assert len(ages.spans) <= 20


def test_what_was_never_served_is_in_no_cache() -> None:
    assert MaxAges().changed(DAY_LONG, FAST, NOW, ()) == MaxAges()
    history = History()
    for policy in (DAY_LONG, FAST):
        change(history, policy, NOW)
    assert history.ring.max_ages == MaxAges()


def test_a_policy_that_changes_nothing_about_caches_is_no_reason_to_wait() -> None:
    history = settled()
    change(history, with_policy(rotation_period=30 * DAY, max_token_lifetime=2 * HOUR), LATER)
    assert history.ring.max_ages == MaxAges()


def test_a_standby_waits_for_caches_of_the_policy_by_which_it_was_published() -> None:
    history = with_new_standby()
    assert ready(history) == 2 * DAY
    change(history, FAST, LATER + MINUTE)
    assert ready(history) == DAY + SKEW + SECOND, "and a second is what clients keep it themselves, by the policy of now"
    with pytest.raises(NotYetDue):
        commands.activate(history.ring, FAST, LATER + HOUR, standby(history).kid)
    forced = commands.rotate(history.ring, FAST, LATER + HOUR, activate=True, reason=WHY)
    assert forced.warning is not None
    assert "By the policy before, HTTP caches may hold a JWKS without the key until 2027-01-26T08:05:00Z." in forced.warning


def test_a_key_that_every_jwks_had_waits_for_no_cache() -> None:
    """As of a new tenant whose policy is set after its first keys were made."""
    history = settled()
    change(history, FAST, NOW + MINUTE)
    assert safe_at(history.ring, FAST, standby(history)) == NOW + 2 * SECOND
    history.carry_out(commands.rotate(history.ring, FAST, NOW + MINUTE))
    history.settle(NOW + MINUTE, FAST)
    assert standby(history).ordinal == 3
    assert safe_at(history.ring, FAST, standby(history)) == NOW + MINUTE + 10 * MINUTE + SECOND


def test_another_of_the_same_moment_waits() -> None:
    """A clock that is behind the log writes at the time of the last event."""
    history = settled()
    history.carry_out(commands.rotate(history.ring, POLICY, NOW - MINUTE, activate=True, reason=WHY))
    history.settle(NOW - MINUTE)
    change(history, FAST, NOW)
    assert standby(history).published_at == NOW
    assert safe_at(history.ring, FAST, standby(history)) == NOW + 10 * MINUTE + SECOND


def test_one_that_is_published_after_the_change_waits_for_them_too() -> None:
    history = with_new_standby()
    change(history, FAST, LATER + MINUTE)
    at = LATER + 5 * MINUTE
    history.carry_out(commands.rotate(history.ring, FAST, at, activate=True, reason=WHY))
    history.settle(at, FAST)
    assert standby(history).published_at == at
    assert ready(history) == MINUTE + DAY + SKEW + SECOND


def test_long_after_the_change_nobody_waits() -> None:
    history = with_new_standby()
    change(history, FAST, LATER)
    at = LATER + 2 * DAY
    history.carry_out(commands.rotate(history.ring, FAST, at, activate=True, reason=WHY))
    history.settle(at, FAST)
    assert ready(history) == 2 * DAY + 2 * SECOND


def test_a_shorter_max_age_alone_puts_off_what_was_planned_for_nobody() -> None:
    history = with_new_standby()
    change(history, with_policy(publish_ahead=2 * DAY), LATER + MINUTE)
    assert ready(history) == 2 * DAY


def test_of_many_changes_the_longest_cache_is_not_forgotten() -> None:
    history = with_new_standby()
    for minute in range(1, 50):
        change(history, with_policy(jwks_max_age=minute * SECOND, publish_ahead=HOUR, clock_skew=0), LATER + minute * MINUTE)
    assert ready_at(history.ring, history.ring.policy, standby(history)) >= LATER + DAY + SKEW
    assert len(history.ring.max_ages.spans) == 20


def test_a_policy_that_only_shortens_the_wait_needs_no_cache_to_end() -> None:
    history = settled()
    change(history, with_policy(publish_ahead=12 * HOUR), NOW + MINUTE)
    assert ready_at(history.ring, history.ring.policy, standby(history)) == NOW + 12 * HOUR


def test_a_longer_max_age_is_waited_for_as_before() -> None:
    history = settled()
    change(history, DAY_LONG, NOW + HOUR)
    assert ready_at(history.ring, DAY_LONG, standby(history)) == NOW + 2 * DAY


def test_of_several_changes_the_longest_cache_counts() -> None:
    history = with_new_standby()
    for step, policy in enumerate([FAST, DAY_LONG, FAST, POLICY, FAST]):
        change(history, policy, LATER + step * MINUTE)
    assert ready(history) == DAY + SKEW + SECOND, "those who fetched later have the key"


def test_who_is_registered_is_waited_for_from_the_end_of_the_caches_before_it() -> None:
    shop, mail = RelyingParty(id="shop", name="Shop", cached_for=HOUR), RelyingParty(id="mail", name="Mail")
    history = with_new_standby(shop, mail)
    change(history, FAST, LATER + MINUTE)
    assert ready(history) == DAY + SKEW + HOUR
    change(history, with_policy(jwks_max_age=SECOND, publish_ahead=2 * SECOND, clock_skew=0, readiness_limit=MINUTE), LATER + MINUTE)
    assert ready(history) == DAY + SKEW + SECOND + MINUTE, "but for no longer than the policy says"
    history.append([JwksFetched(at=LATER + HOUR, relying_party="mail", kid=standby(history).kid)])
    assert ready(history) == DAY + SKEW + SECOND + MINUTE


@pytest.mark.parametrize("after", [-2 * MINUTE, 2 * MINUTE])
def test_the_key_that_takes_over_waits_for_caches_of_the_policy_before(after: int) -> None:
    history = with_new_standby(RelyingParty(id="shop", name="Shop", library="go-oidc"))
    at = LATER + 3 * DAY
    bad = history.ring.active
    assert bad is not None
    ends = at + min(after, 0) + DAY + SKEW
    if after < 0:
        change(history, POLICY, at + after)
        [shop] = blast_radius(history.ring, bad.kid, None, at).exposures
        assert shop.until == ends, "before the report, too"
        assert "behind an HTTP cache, once more PT24H3M" in shop.advice[0]
    history.carry_out(commands.compromise(history.ring, history.ring.policy, at, bad.kid, reason=WHY))
    history.settle(at, history.ring.policy)
    if after > 0:
        change(history, POLICY, at + after)
    assert ready_at(history.ring, POLICY, standby(history)) == activates_at(history.ring, POLICY) == ends
    found = blast_radius(history.ring, bad.kid, None, at + 5 * MINUTE)
    assert (found.takes_over_at, found.accepted_until) == (ends, ends)
    history.settle(ends)
    activated = [event for event in history.events if isinstance(event, KeyActivated)]
    assert (activated[-1].at, activated[-1].forced) == (ends, None)


def test_a_key_that_left_before_the_policy_changed_is_not_accepted_for_longer_for_that() -> None:
    history = settled()
    history.append([RelyingPartyRegistered(at=NOW, relying_party=RelyingParty(id="shop", name="Shop", library="spring"))])
    history.carry_out(commands.compromise(history.ring, POLICY, NOW + DAY, jwk(1).kid, reason=WHY))
    before = blast_radius(history.ring, jwk(1).kid, None, NOW + 2 * DAY)
    change(history, DAY_LONG, NOW + 2 * DAY)
    change(history, POLICY, NOW + 3 * DAY)
    assert blast_radius(history.ring, jwk(1).kid, None, NOW + 3 * DAY).accepted_until == before.accepted_until


def test_an_estimate_without_a_standby_knows_of_the_caches() -> None:
    history = with_new_standby()
    history.carry_out(commands.compromise(history.ring, DAY_LONG, LATER, standby(history).kid, reason=WHY), away=True)
    change(history, with_policy(jwks_max_age=SECOND, publish_ahead=2 * SECOND, clock_skew=0, rotation_period=3 * SECOND), LATER + MINUTE)
    coming = [one.at for one in forecast(history.ring, LATER + HOUR, LATER + 3 * DAY) if one.kind is Kind.ACTIVATE]
    assert coming[0] == LATER + MINUTE + DAY + SKEW + SECOND
    forced = commands.rotate(history.ring, history.ring.policy, LATER + HOUR, activate=True, reason=WHY)
    assert forced.warning is not None
    assert forced.warning.endswith("by the rules after PT23H6M."), "the skew of then is in it"
