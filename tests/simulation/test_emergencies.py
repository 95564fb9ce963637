"""Emergencies: for how long a stolen key is accepted, measured, against what the service predicts (`keyvault.blast_radius`)."""

from __future__ import annotations

from functools import partial

import pytest

from keyvault.blast_radius import Accepts
from keyvault.caching import LIBRARIES, Caching, exposed_for
from keyvault.durations import DAY, HOUR, MINUTE, SECOND
from keyvault.policy import Policy
from tests.keyvault.made import POLICY, with_policy
from tests.simulation import emergency
from tests.simulation.emergency import AT, Emergency, Stolen, policy_changes, random_phase, registered, worst
from tests.simulation.year import A_DAY_LONG, PARTIES

SHARED = POLICY.jwks_max_age + POLICY.clock_skew
POLICIES = {
    "default": POLICY,
    "long-max-age": with_policy(jwks_max_age=40 * MINUTE),
    "exact-clocks": with_policy(jwks_max_age=10 * SECOND, clock_skew=0),
}


def predicted(name: str, policy: Policy, *, standby: bool = True) -> int:
    exposed = emergency.predicted(name, PARTIES[name], policy, standby=standby)
    assert exposed is not None
    return exposed


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("name", PARTIES)
def test_in_the_worst_phase_the_exposure_is_what_was_predicted(name: str, policy: Policy) -> None:
    exposed = predicted(name, policy)
    step = max(SECOND, exposed // 10_000)
    measured = worst(PARTIES[name], policy, step=step, lasts=exposed + HOUR)
    assert exposed - step <= measured.exposed <= exposed


@pytest.mark.parametrize("after", [-2 * MINUTE, 2 * MINUTE], ids=["before", "after"])
@pytest.mark.parametrize("name", PARTIES)
def test_who_shortens_the_caches_just_before_or_after_it_is_told_what_they_hold_already(name: str, after: int) -> None:
    """What was fetched by the policy of before is kept for as long as that said."""
    day_long = with_policy(jwks_max_age=DAY, publish_ahead=2 * DAY)
    measured, told, step = policy_changes(registered(name, PARTIES[name]), day_long, POLICY, at=AT + after)
    assert told.until is not None
    assert told.until - AT > 23 * HOUR
    assert told.until - AT - 2 * step <= measured.exposed <= told.until - AT + step  # the next token is what makes it look


def check_random_phase(name: str, policy: Policy, seed: int) -> None:
    exposed = predicted(name, policy)
    step = max(SECOND, exposed // 500)
    measured = random_phase(PARTIES[name], policy, seed=f"{name} {seed}", step=step, lasts=exposed + HOUR)
    assert measured.exposed <= exposed + step  # the next token is what makes it look


@pytest.mark.parametrize("name", PARTIES)
def test_in_no_phase_it_is_more(name: str) -> None:
    for seed in range(5):
        check_random_phase(name, POLICY, seed)


@pytest.mark.long
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("name", PARTIES)
def test_in_none_of_many_phases_it_is_more(name: str, policy: Policy) -> None:
    for seed in range(5, 305):
        check_random_phase(name, policy, seed)


def test_who_neither_expires_nor_refetches_is_exposed_until_it_is_restarted() -> None:
    caching = Caching(lifetime=None, refetches=False)
    assert exposed_for(caching, POLICY) is None
    assert worst(caching, POLICY, step=HOUR, lasts=30 * DAY).exposed > 30 * DAY - 2 * HOUR


NEVER_EXPIRE = ["go-oidc", "aws-jwt-verify"]


@pytest.mark.parametrize("which", ["standby", "retired"])
@pytest.mark.parametrize("name", PARTIES)
def test_of_a_key_that_does_not_sign_nothing_takes_over_so_only_expiry_ends_it(name: str, which: Stolen) -> None:
    exposed = emergency.predicted(name, PARTIES[name], POLICY, which=which)
    assert (exposed is None) == (name in NEVER_EXPIRE)
    if exposed is None:
        assert worst(PARTIES[name], POLICY, step=HOUR, lasts=30 * DAY, which=which).exposed > 30 * DAY - 2 * HOUR
        return
    step = max(SECOND, exposed // 5000)
    measured = worst(PARTIES[name], POLICY, step=step, lasts=exposed + HOUR, which=which)
    assert exposed - 2 * step <= measured.exposed <= exposed
    assert measured.refused == 0 or PARTIES[name].background, "and no good token is refused"


@pytest.mark.parametrize("name", NEVER_EXPIRE)
def test_without_tokens_of_the_new_key_who_never_expires_keeps_the_stolen_one(name: str) -> None:
    """Which is why the prediction holds only where tokens come in."""
    one = Emergency(PARTIES[name], POLICY, late=0)
    one.world.each(range(AT - HOUR, AT + 30 * DAY, HOUR), partial(one.show, genuine=False))
    one.world.run(AT + 30 * DAY)
    assert one.measured.exposed > 29 * DAY


def test_who_fetches_in_the_background_and_was_idle_takes_one_more_stolen_token_whenever_it_comes() -> None:
    """The first one after all that time, and for as long as the grace lasts; the prediction holds only where tokens come in."""
    caching, later = PARTIES["dotnet"], 10 * DAY
    one = Emergency(caching, POLICY, late=0)
    one.world.at(AT - HOUR, one.show)
    one.world.each(range(AT + later, AT + later + 3 * HOUR, MINUTE), one.show)
    one.world.run(AT + later + DAY)
    assert later + caching.grace - MINUTE <= one.measured.exposed <= later + caching.grace


@pytest.mark.parametrize("name", PARTIES)
def test_without_a_standby_it_is_the_same(name: str) -> None:
    exposed = predicted(name, POLICY, standby=False)
    assert exposed == predicted(name, POLICY)
    step = max(SECOND, exposed // 10_000)
    assert worst(PARTIES[name], POLICY, step=step, lasts=exposed + HOUR, standby=False).exposed <= exposed


@pytest.mark.parametrize("name", PARTIES)
def test_with_the_key_store_away_it_lasts_longer_by_no_more_than_that(name: str) -> None:
    """What leaves, leaves at once; who waits for an unknown `kid` waits until one can be made."""
    away, exposed = 3 * HOUR, predicted(name, POLICY)
    one = Emergency(PARTIES[name], POLICY, late=0, store_away=((AT, AT + away),))
    step = 10 * SECOND
    one.world.each(range(AT - HOUR, AT + away + exposed + HOUR, step), one.show)
    one.world.run(AT + away + exposed + HOUR)
    assert one.measured.exposed <= exposed + away + 2 * step
    [told] = one.predicted(registered(name, PARTIES[name])).exposures
    assert told.accepts is Accepts.NO_MORE
    assert told.until is not None
    assert one.measured.exposed <= told.until - AT + 2 * step, "and the service knew, once a key had taken over"


def test_the_price_is_that_who_does_not_refetch_refuses_the_key_that_takes_over() -> None:
    """For as long as their caches last: the standby, which they all have, signs for `jwks_max_age` plus `clock_skew` only."""
    refusing = set()
    for name, caching in PARTIES.items():
        lasts = (caching.lifetime or 0) + 2 * HOUR
        step = max(SECOND, lasts // 5000)
        refused = worst(caching, POLICY, step=step, lasts=lasts).refused
        if not caching.refetches:
            assert caching.lifetime is not None
            assert caching.lifetime - 2 * step <= refused <= caching.lifetime
        else:
            assert refused <= caching.cooldown + step
        refusing |= {name} if refused > 2 * MINUTE else set()
    assert refusing == {"dotnet", "istio", "aws-api-gateway", A_DAY_LONG}


def test_all_of_them_are_asked() -> None:
    assert set(LIBRARIES) < set(PARTIES)
    assert len(LIBRARIES) >= 8
    assert SHARED == 10 * MINUTE
