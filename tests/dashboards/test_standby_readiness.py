"""Who has the standby key, in words; those that may not have it come first."""

from __future__ import annotations

import pytest

from dashboards.console.caching_words import NOBODY_SAID, caching_words, spoken
from dashboards.console.standby_readiness import StandbyReadiness, standby_readiness
from keyvault.caching import LIBRARIES
from keyvault.durations import DAY, HOUR
from keyvault.events import JwksFetched, RelyingPartyRegistered
from keyvault.relying_party import RelyingParty
from keyvault.ring import Ring
from tests.keyvault.made import NOW, History, settled

SPRING = RelyingParty(id="shop", name="Shop", contact="shop@example.com", library="spring", own_url=True)
STATIC = RelyingParty(id="old", name="Old", cached_for=300 * DAY, own_url=True)
SILENT = RelyingParty(id="silent", name="Silent")


def with_parties(*parties: RelyingParty) -> History:
    history = settled()
    history.append(RelyingPartyRegistered(at=NOW, relying_party=party) for party in parties)
    return history


def stands(history: History, now: int) -> StandbyReadiness:
    found = standby_readiness(history.ring, now)
    assert found is not None
    return found


def test_without_a_relying_party_the_policy_counts() -> None:
    early, late = stands(settled(), NOW + HOUR), stands(settled(), NOW + 26 * HOUR)
    assert (early.safe, late.safe) == (False, True)
    assert "It is safe to let it sign from 2027-01-16 09:00:00Z (in 24 h) on." in early.says[0]
    assert "No relying party is registered, so all are taken to fetch within 25 hours." in early.says
    assert late.says[0].startswith("It can sign at any time")
    assert late.counted == ""


def test_those_that_may_not_have_it_come_first() -> None:
    found = stands(with_parties(SPRING, STATIC, SILENT), NOW + 26 * HOUR)
    assert [(one.id, one.ready, one.verdict) for one in found.parties] == [
        ("old", False, "may not have it"),
        ("shop", True, "surely has it"),
        ("silent", True, "surely has it"),
    ]
    assert found.counted == "2 of 3 surely have it"


def test_who_was_seen_to_fetch_is_told_and_still_not_sure() -> None:
    history = with_parties(STATIC)
    assert history.ring.standby is not None
    history.append([JwksFetched(at=NOW + HOUR, relying_party="old", kid=history.ring.standby.kid)])
    [one] = stands(history, NOW + 2 * HOUR).parties
    assert (one.fetched_at, one.verdict) == (NOW + HOUR, "may have it")


def test_why_nothing_is_known_is_told() -> None:
    [silent] = stands(with_parties(SILENT), NOW).parties
    assert silent.unseen == "not known: it has no URL of its own"
    assert "Nobody has said how it keeps a JWKS" in silent.because
    assert caching_words(SILENT) == NOBODY_SAID


def test_a_policy_waits_for_nobody_for_ever() -> None:
    found = stands(with_parties(STATIC), NOW + 9 * DAY)
    assert found.safe
    assert "The policy waits for nobody for longer than 8 days 1 hour: 1 of those below may not have it even then." in found.says[1]


def test_many_are_told_by_number() -> None:
    parties = [RelyingParty(id=f"p{number:03}", name=f"P {number}") for number in range(40)]
    found = stands(with_parties(*parties), NOW)
    assert (len(found.parties), found.more) == (25, 15)


def test_without_a_standby_there_is_nothing_to_be_ready_for() -> None:
    assert standby_readiness(Ring.empty(), NOW) is None


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_librarys_rules_are_told(library: str) -> None:
    told = caching_words(RelyingParty(id="x", name="X", library=library))
    assert LIBRARIES[library].title in told
    assert "PT" not in told


def test_durations_are_spoken() -> None:
    assert spoken("It keeps it for PT25H, then P90D, and PT0.5S.") == "It keeps it for 25 hours, then 90 days, and 0 seconds."
    assert spoken("PTAH keeps PNG and P2P.") == "PTAH keeps PNG and P2P."
