"""What a relying party's developers are told about a rotation and an emergency."""

from __future__ import annotations

import pytest

from keyvault.caching import LIBRARIES, Caching
from keyvault.durations import DAY, HOUR, MINUTE, SECOND
from keyvault.policy import Policy
from keyvault.survival import check
from tests.keyvault.made import POLICY, with_policy

STATIC = Caching(lifetime=None, refetches=False)


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_known_library_survives_a_planned_rotation_by_default(library: str) -> None:
    found = check(LIBRARIES[library].caching, Policy())
    assert found.planned
    assert "goes unnoticed" in found.findings[0]


def test_a_copy_of_the_jwks_survives_nothing() -> None:
    found = check(STATIC, POLICY)
    assert (found.planned, found.emergency, found.exposed_for, found.refused_for) == (False, False, None, None)
    assert "refuses every token of the new key until it is restarted" in found.findings[0]
    assert "accepts tokens of a compromised key until it is restarted" in found.findings[1]
    assert "`kid` that it does not have" in found.advice[0]
    assert "expire" in found.advice[1]


def test_a_long_cache_without_fetching_survives_because_it_is_waited_for() -> None:
    caching = Caching(lifetime=2 * DAY, refetches=False)
    found = check(caching, POLICY)
    assert found.planned
    assert "a rotation waits for it" in found.findings[0]
    assert found.exposed_for == 2 * DAY + 10 * MINUTE
    assert found.refused_for == 2 * DAY
    assert not check(caching, with_policy(readiness_limit=0)).planned
    assert check(Caching(lifetime=2 * DAY, refetches=True), with_policy(readiness_limit=0)).planned


def test_who_fetches_for_an_unknown_kid_gets_over_an_emergency() -> None:
    found = check(Caching(lifetime=None, refetches=True, cooldown=5 * MINUTE), POLICY)
    assert found.emergency
    assert found.refused_for == 5 * MINUTE
    assert any("Shorten the time between two fetches" in advice for advice in found.advice)
    assert check(LIBRARIES["spring"].caching, POLICY).refused_for == 0


def test_who_keeps_each_key_by_itself_is_exposed_until_it_expires() -> None:
    found = check(Caching(lifetime=10 * HOUR, refetches=True, per_key=True, most_keys=3), POLICY)
    assert found.exposed_for == 10 * HOUR + 10 * MINUTE
    assert any("Keep keys for ten minutes" in advice for advice in found.advice)
    assert any("Let it hold 5 keys" in advice for advice in found.advice)


def test_who_looks_for_algorithms_at_its_start_only_is_told_what_another_one_needs() -> None:
    for library in ("go-oidc", "spring"):
        found = check(LIBRARIES[library].caching, POLICY)
        assert found.planned
        assert any("restart it when the first key of the new one is published" in finding for finding in found.findings)
    assert not any("algorithm" in finding for finding in check(LIBRARIES["jose"].caching, POLICY).findings)


def test_who_does_it_right_is_left_alone() -> None:
    found = check(Caching(lifetime=5 * MINUTE, refetches=True, cooldown=30 * SECOND), POLICY)
    assert found.advice == ()
    assert found.planned
    assert found.emergency
