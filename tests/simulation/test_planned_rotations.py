"""Planned rotations: nobody refuses a token, whatever library, clock, cache, outage or idle time; and the policies by which that fails."""

from __future__ import annotations

from functools import partial
from random import Random

import msgspec
import pytest

from keyvault.algorithms import Algorithm
from keyvault.caching import LIBRARIES, left_behind, sure_after
from keyvault.commands import change_policy, rotate
from keyvault.durations import DAY, HOUR, MINUTE, SECOND
from keyvault.key import KeyState
from keyvault.policy import Policy
from tests.keyvault.made import NOW, POLICY, with_policy
from tests.simulation.issuer import Issuer, Tenantry
from tests.simulation.relying_party import Verdict
from tests.simulation.world import World
from tests.simulation.year import A_DAY_LONG, PARTIES, SITUATIONS, Tally, adversarial, run

SKEW = POLICY.clock_skew
BUSY = tuple(situation for situation in SITUATIONS if not situation.idle)


def refusing(tallies: dict[str, Tally]) -> set[str]:
    for name, tally in tallies.items():
        assert tally.verdicts[Verdict.ACCEPTED] > 1000, f"{name} was shown hardly a token"
    return {name for name, tally in tallies.items() if tally.refused}


def shortest_announcement(issuer: Issuer) -> int:
    """How long the one of all keys that were activated by schedule which was published for the shortest time had been published."""
    assert isinstance(issuer, Tenantry)
    ahead = [key.activated_at - key.published_at for key in issuer.history.ring.keys if key.activated_at is not None and key.ordinal > 1]
    return min(ahead)


@pytest.mark.parametrize(
    ("clock", "behind"),
    [(0, 0), (SKEW, 0), (0, SKEW), (-SKEW, SKEW)],
    ids=["in-time", "signer-ahead", "rotation-late", "only-publisher-in-time"],
)
def test_a_year_by_the_default_policy_breaks_nobody(clock: int, behind: int) -> None:
    make = partial(Tenantry, policy=POLICY, clock=clock, behind=behind)
    issuer, tallies = run(make, days=365, skew=SKEW, visits=adversarial)
    assert len(issuer.turns) == 1 + 365 // 90
    assert len(tallies) >= 13
    assert refusing(tallies) == set()
    assert sum(tally.verdicts[Verdict.UNREACHABLE] for tally in tallies.values()) == 0


@pytest.mark.parametrize(
    "policy",
    [
        with_policy(rotation_period=7 * DAY),
        with_policy(rotation_period=7 * DAY, max_token_lifetime=3 * DAY, max_published_keys=2),
        with_policy(rotation_period=30 * HOUR, publish_ahead=25 * HOUR, jwks_max_age=40 * MINUTE),
        with_policy(rotation_period=2 * DAY, publish_ahead=10 * MINUTE + SECOND),
        with_policy(rotation_period=26 * HOUR, publish_ahead=25 * HOUR, max_token_lifetime=4 * DAY, max_published_keys=20),
        with_policy(rotation_period=3 * DAY, clock_skew=0, jwks_max_age=SECOND, publish_ahead=25 * HOUR),
    ],
    ids=["weekly", "weekly-of-two-keys", "just-longer-than-ahead", "hardly-ahead", "many-keys", "exact-clocks"],
)
def test_faster_policies_break_nobody_who_has_traffic(policy: Policy) -> None:
    assert policy.problems() == []
    issuer, tallies = run(partial(Tenantry, policy=policy), days=21, skew=policy.clock_skew, visits=adversarial, situations=BUSY)
    assert len(issuer.turns) > 2
    assert refusing(tallies) == set()


def test_without_traffic_for_longer_than_a_key_lives_the_first_token_is_refused_by_who_fetches_in_the_background() -> None:
    policy = with_policy(rotation_period=7 * DAY)
    _, tallies = run(partial(Tenantry, policy=policy), days=120, skew=SKEW, visits=adversarial)
    assert refusing(tallies) == {"dotnet"}
    assert tallies["dotnet"].longest <= LIBRARIES["dotnet"].caching.cooldown + HOUR  # the next token that comes is accepted


class TestOutages:
    def test_of_the_key_store_when_a_rotation_is_due(self) -> None:
        away = tuple((NOW + days * DAY - HOUR, NOW + days * DAY + 2 * HOUR) for days in (90, 180, 270))
        issuer, tallies = run(partial(Tenantry, policy=POLICY, store_away=away), days=365, skew=SKEW, visits=adversarial)
        assert len(issuer.turns) == 1 + 365 // 90  # the standby was there, and signs; the next one is made when the store is back
        assert refusing(tallies) == set()

    def test_of_the_key_store_for_so_long_that_a_rotation_is_late(self) -> None:
        policy, back = with_policy(rotation_period=30 * HOUR), NOW + 62 * HOUR
        make = partial(Tenantry, policy=policy, store_away=((NOW + 29 * HOUR, back),))
        issuer, tallies = run(make, days=8, skew=SKEW, visits=adversarial, situations=BUSY)
        assert issuer.turns[2][0] == back + policy.publish_ahead
        assert shortest_announcement(issuer) == policy.publish_ahead
        assert refusing(tallies) == set()

    @pytest.mark.parametrize("hours", [1, 12, 24])
    def test_of_the_jwks_around_every_change(self, hours: int) -> None:
        """Whoever can't fetch refuses by its own rule, which no rotation causes: but when it can again, it finds what it needs."""
        policy = with_policy(rotation_period=60 * DAY)
        turns = [NOW + days * DAY for days in range(60, 365, 60)]
        unreachable = tuple(
            (turn - back, turn - back + hours * HOUR) for turn, back in zip(turns, (0, 1, HOUR, 6 * HOUR, DAY), strict=False)
        )
        make = partial(Tenantry, policy=policy, unreachable=unreachable)
        _, tallies = run(make, days=365, skew=SKEW, visits=adversarial, situations=BUSY)
        assert refusing(tallies) == set()
        assert tallies["spring"].verdicts[Verdict.UNREACHABLE] > 0
        assert tallies["istio"].verdicts[Verdict.UNREACHABLE] < tallies["spring"].verdicts[Verdict.UNREACHABLE]


class TestByHand:
    """A standby that was published for `publish_ahead` and no longer."""

    def test_rotating_as_soon_as_it_is_allowed_breaks_nobody_who_has_traffic(self) -> None:
        def make(world: World) -> Issuer:
            issuer = Tenantry(world, POLICY)
            for number in range(1, 20):
                world.at(NOW + number * 26 * HOUR, lambda: issuer.command(lambda ring, now: rotate(ring, ring.policy, now)))
            return issuer

        issuer, tallies = run(make, days=30, skew=SKEW, visits=adversarial, situations=BUSY)
        assert len(issuer.turns) > 10
        assert refusing(tallies) == set()

    def test_another_algorithm_breaks_nobody_who_has_traffic(self) -> None:
        issuer, tallies = run(partial(changing_algorithms, POLICY), days=60, skew=SKEW, visits=adversarial, situations=BUSY)
        assert shortest_announcement(issuer) == POLICY.publish_ahead
        assert refusing(tallies) == set()

    def test_hardly_ahead_those_are_refused_who_are_left_behind(self) -> None:
        """The policy is valid, and has no warning."""
        policy = with_policy(publish_ahead=10 * MINUTE + SECOND)
        assert (policy.problems(), policy.warnings()) == ([], [])
        _, tallies = run(partial(changing_algorithms, policy), days=60, skew=SKEW, visits=adversarial, situations=BUSY)
        broken = refusing(tallies)
        assert broken == {"jose", "pyjwt", "aws-jwt-verify", "dotnet", "istio", "aws-api-gateway", A_DAY_LONG}
        assert broken - {A_DAY_LONG} <= set(left_behind(policy))


def changing_algorithms(policy: Policy, world: World) -> Issuer:
    """Back and forth every five days."""
    issuer = Tenantry(world, policy)

    def change(algorithm: Algorithm) -> None:
        other = msgspec.structs.replace(policy, algorithm=algorithm)
        issuer.command(lambda ring, now: change_policy(ring, other, now))

    for number in range(1, 11):
        algorithm = Algorithm.ES256 if number % 2 else Algorithm.EDDSA
        world.at(NOW + number * 5 * DAY, partial(change, algorithm))
    return issuer


class TestPoliciesThatOutrunALibrary:
    """Valid policies with periods shorter than some library's cache: neither `problems` nor `warnings` say so."""

    def test_a_period_of_two_hours(self) -> None:
        policy = with_policy(rotation_period=2 * HOUR, publish_ahead=11 * MINUTE, max_token_lifetime=10 * MINUTE)
        assert (policy.problems(), policy.warnings()) == ([], [])
        _, tallies = run(partial(Tenantry, policy=policy), days=2, skew=SKEW, visits=adversarial, situations=BUSY)
        assert refusing(tallies) == {"dotnet", "aws-api-gateway", A_DAY_LONG}

    def test_a_standby_that_waits_for_room(self) -> None:
        policy = with_policy(rotation_period=2 * DAY, publish_ahead=11 * MINUTE, max_token_lifetime=DAY, max_published_keys=2)
        assert (policy.problems(), policy.warnings()) == ([], [])
        issuer, tallies = run(partial(Tenantry, policy=policy), days=30, skew=SKEW, visits=adversarial, situations=BUSY)
        assert shortest_announcement(issuer) == 2 * DAY - DAY - 2 * SKEW
        assert refusing(tallies) == {A_DAY_LONG}

    def test_more_keys_in_use_than_a_library_can_hold(self) -> None:
        """jwks-rsa-java throws out a key that it needs, and runs out of fetches; the others that hold five just fetch more often."""
        policy = with_policy(rotation_period=30 * MINUTE, publish_ahead=25 * MINUTE, max_token_lifetime=4 * HOUR, max_published_keys=20)
        assert (policy.problems(), policy.warnings()) == ([], [])
        few = {name: PARTIES[name] for name in ("jwks-rsa", "jwks-rsa-java", "jose", "pyjwt")}
        every = partial(steadily, every=10 * SECOND)
        issuer, tallies = run(partial(Tenantry, policy=policy), days=1, skew=SKEW, visits=every, situations=BUSY, parties=few)
        assert len(issuer.published(NOW + DAY)) == 11
        assert refusing(tallies) == {"jwks-rsa-java"}

    def test_five_of_them_are_no_trouble(self) -> None:
        policy = with_policy(rotation_period=80 * MINUTE, publish_ahead=25 * MINUTE, max_token_lifetime=3 * HOUR)
        few = {name: PARTIES[name] for name in ("jwks-rsa", "jwks-rsa-java")}
        every = partial(steadily, every=10 * SECOND)
        issuer, tallies = run(partial(Tenantry, policy=policy), days=1, skew=SKEW, visits=every, situations=BUSY, parties=few)
        assert len(issuer.published(NOW + DAY)) <= 5
        assert refusing(tallies) == set()


def steadily(random: Random, issuer: Issuer, situation: object, until: int, *, every: int) -> list[int]:
    del issuer, situation
    return list(range(NOW + random.randrange(every), until, every))


def any_policy(random: Random) -> Policy:
    """A valid one, short enough for many rotations in a month."""
    while True:
        lifetime = round(10 ** random.uniform(5, 8))
        policy = with_policy(
            rotation_period=round(10 ** random.uniform(6.8, 8.7)),
            publish_ahead=round(10 ** random.uniform(5.9, 8.2)),
            max_token_lifetime=lifetime,
            clock_skew=random.choice([0, SECOND, MINUTE, 5 * MINUTE]),
            jwks_max_age=round(10 ** random.uniform(3, 6)),
            max_published_keys=random.choice([2, 3, 5]),
        )
        if not policy.problems():
            return policy


def check_any(seed: int) -> None:
    policy = any_policy(Random(seed))
    days = min(30, max(2, 12 * policy.rotation_period // DAY))
    issuer, tallies = run(
        partial(Tenantry, policy=policy), days=days, skew=policy.clock_skew, visits=adversarial, situations=BUSY, seed=seed
    )
    announced = shortest_announcement(issuer)
    for name, tally in tallies.items():
        sure = sure_after(PARTIES[name], policy)
        if sure is not None and sure <= announced:
            assert tally.refused == 0, f"{name}, which has a key after {sure} ms of {announced}, by {policy}"
    keys = issuer.history.ring.keys if isinstance(issuer, Tenantry) else ()
    assert any(key.state is KeyState.ACTIVE for key in keys)


@pytest.mark.parametrize("seed", range(6))
def test_whoever_surely_has_a_key_by_then_refuses_nothing(seed: int) -> None:
    check_any(seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6, 120))
def test_whoever_surely_has_a_key_by_then_refuses_nothing_many_times(seed: int) -> None:
    check_any(seed)
