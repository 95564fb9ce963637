"""Whoever sets or reads a policy is told whom it may break: those that are registered first, by name."""

from __future__ import annotations

from typing import Any

import pytest

from keyvault import commands, events
from keyvault.algorithms import Algorithm
from keyvault.caching import LIBRARIES, sure_after
from keyvault.durations import DAY, HOUR, MINUTE
from keyvault.policy import Policy
from keyvault.policy_warnings import warnings
from keyvault.relying_party import RelyingParty
from keyvault.ring import Ring
from tests.keyvault.made import NOW, POLICY, settled, with_policy

HASTY = with_policy(publish_ahead=HOUR)


def ring(*parties: dict[str, Any]) -> Ring:
    """A settled ring with these relying parties."""
    found = settled().ring
    for number, given in enumerate(parties):
        party = RelyingParty(**{"id": f"rp{number}", "name": f"RP {number}"} | given)
        found = found.apply(events.RelyingPartyRegistered(at=NOW, relying_party=party))
    return found


def test_the_defaults_warn_of_nothing_whoever_is_registered_with_a_known_library() -> None:
    assert warnings(Ring.empty(), Policy()) == []
    assert warnings(ring(*({"library": name} for name in LIBRARIES)), POLICY) == []


def test_who_is_registered_is_named_first_then_the_libraries_that_others_may_use() -> None:
    registered, libraries = warnings(ring({"name": "Shop", "library": "dotnet"}, {"name": "Mail", "library": "jose"}), HASTY)
    assert "Shop (dotnet, up to PT13H10M)" in registered
    assert "rotations wait for them, and one that is forced may break them" in registered
    assert "Mail" not in registered
    assert "dotnet (up to PT13H10M), aws-api-gateway (up to PT2H10M), aws-api-gateway-rest (up to PT1H10M)" in libraries
    assert "let publish_ahead be PT13H10M" in libraries


@pytest.mark.parametrize("ahead", [11 * MINUTE, 25 * MINUTE, HOUR, 3 * HOUR, 12 * HOUR, 25 * HOUR])
def test_the_advice_to_publish_ahead_ends_the_warning(ahead: int) -> None:
    policy = with_policy(publish_ahead=ahead)
    needed = max(sure_after(library.caching, policy) or 0 for library in LIBRARIES.values())
    assert bool(warnings(Ring.empty(), policy)) == (ahead < needed)
    assert warnings(Ring.empty(), with_policy(publish_ahead=needed)) == []


def test_who_can_not_be_waited_for_is_told_apart() -> None:
    waited, left = warnings(ring({"name": "Shop", "cached_for": 2 * DAY}, {"name": "Archive", "cached_for": 60 * DAY}), POLICY)
    assert "Shop (up to P2DT10M)" in waited
    assert "Archive" not in waited
    assert "Archive (up to P60DT10M); a rotation may break them" in left


def test_who_said_nothing_is_taken_for_what_the_policy_assumes() -> None:
    assert warnings(ring({"name": "Silent"}), POLICY) == []


def test_another_algorithm_names_who_has_to_be_restarted() -> None:
    other = with_policy(algorithm=Algorithm.ES256)
    [told] = warnings(ring({"name": "Shop", "library": "go-oidc"}, {"name": "Mail", "library": "jose"}), other)
    assert "algorithm changes from EdDSA to ES256" in told
    assert "Shop (go-oidc)" in told
    assert "Mail" not in told
    [nobody] = warnings(ring(), other)
    assert "clients of spring, go-oidc may allow" in nobody
    history = settled()
    history.carry_out(commands.change_policy(history.ring, other, NOW))
    history.carry_out(commands.rotate(history.ring, other, NOW))
    assert warnings(history.ring, other), "the standby does not sign yet"
    history.carry_out(commands.rotate(history.ring, other, NOW, activate=True, reason="test"))
    assert warnings(history.ring, other) == []


def test_a_thousand_relying_parties_are_not_all_named() -> None:
    [told, _] = warnings(ring(*({"library": "dotnet"} for _ in range(100))), HASTY)
    assert told.count("dotnet") == 20
    assert "and 80 more" in told
