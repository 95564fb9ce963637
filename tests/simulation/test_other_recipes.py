"""What the recipes of others cost the same relying parties: `python -m tests.simulation` prints it as a table."""

from __future__ import annotations

from functools import partial

import pytest

from keyvault.durations import DAY, HOUR, MINUTE, SECOND
from tests.keyvault.made import POLICY
from tests.simulation.compare import EVERYDAY, RECIPES, Fared, compare
from tests.simulation.issuer import announce, keycloak
from tests.simulation.year import A_DAY_LONG, SITUATIONS, adversarial, run

OURS, AT_ONCE, A_DAY = RECIPES


@pytest.fixture(scope="module")
def fared() -> dict[str, dict[str, Fared]]:
    return compare()


def worst(fared: dict[str, dict[str, Fared]], recipe: str) -> dict[str, int]:
    """Who is interrupted at all, and for how long at most."""
    return {name: recipes[recipe].worst or 0 for name, recipes in fared.items() if recipes[recipe].worst is not None}


def noticed(fared: dict[str, dict[str, Fared]], recipe: str) -> dict[str, int]:
    """Who notices rotations every day, and how many."""
    return {name: recipes[recipe].noticed for name, recipes in fared.items() if recipes[recipe].noticed}


def test_by_our_rotation_nobody_notices(fared: dict[str, dict[str, Fared]]) -> None:
    assert worst(fared, OURS) == {}
    assert noticed(fared, OURS) == {}
    assert {recipes[OURS].of for recipes in fared.values()} == {4 * len(EVERYDAY)}


def test_a_key_that_signs_at_once_is_refused_by_who_does_not_ask_at_once(fared: dict[str, dict[str, Fared]]) -> None:
    interrupted = worst(fared, AT_ONCE)
    assert set(interrupted) == {"jose", "pyjwt", "aws-jwt-verify", "dotnet", "istio", "aws-api-gateway", A_DAY_LONG}
    assert interrupted["jose"] >= 29 * SECOND
    assert interrupted["dotnet"] >= 4 * MINUTE
    assert interrupted["istio"] >= 19 * MINUTE
    assert interrupted["aws-api-gateway"] >= 119 * MINUTE
    assert interrupted[A_DAY_LONG] >= 23 * HOUR
    everyday = noticed(fared, AT_ONCE)
    assert {name for name, rotations in everyday.items() if rotations >= 10} == {"dotnet", "istio", "aws-api-gateway", A_DAY_LONG}


def test_a_day_is_too_short_for_who_asks_once_a_day_and_for_who_was_idle(fared: dict[str, dict[str, Fared]]) -> None:
    interrupted = worst(fared, A_DAY)
    assert set(interrupted) == {"dotnet", A_DAY_LONG}
    assert 9 * MINUTE <= interrupted[A_DAY_LONG] <= 10 * MINUTE  # what an HTTP cache keeps, and how late its clock may be
    assert set(noticed(fared, A_DAY)) == {"dotnet"}  # those that were idle, if a new key's token is the first to come


def test_an_hour_more_is_enough_for_who_has_traffic() -> None:
    busy = tuple(situation for situation in SITUATIONS if not situation.idle)
    make = partial(announce, policy=POLICY, ahead=25 * HOUR)
    _, tallies = run(make, days=365, skew=POLICY.clock_skew, visits=adversarial, situations=busy)
    assert {name for name, tally in tallies.items() if tally.refused} == set()
    make = partial(announce, policy=POLICY, ahead=DAY)
    _, tallies = run(make, days=365, skew=POLICY.clock_skew, visits=adversarial, situations=busy)
    assert {name for name, tally in tallies.items() if tally.refused} == {A_DAY_LONG}


def test_an_old_key_that_leaves_when_its_last_token_has_expired_by_one_clock_leaves_too_early_by_others() -> None:
    """Whoever's clock is behind refuses the last tokens, as soon as it fetches the JWKS without it: all but those who never do."""
    make = partial(keycloak, policy=POLICY, kept=POLICY.max_token_lifetime)
    slow = tuple(situation for situation in SITUATIONS if situation.clock < 0 and not situation.idle)
    _, tallies = run(make, days=365, skew=POLICY.clock_skew, visits=adversarial, situations=slow)
    assert {"spring", "nimbus", "pyjwt"} <= {name for name, tally in tallies.items() if tally.refused}
