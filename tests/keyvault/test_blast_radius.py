"""Who is affected by a bad key: by its state, before the report and after. `tests/simulation` measures that the times are true."""

from __future__ import annotations

from typing import Any

import pytest

from keyvault import commands
from keyvault.blast_radius import Accepts, BlastRadius, Exposure, blast_radius
from keyvault.blast_radius_words import summary
from keyvault.caching import LIBRARIES
from keyvault.durations import DAY, HOUR, MINUTE, SECOND
from keyvault.errors import UnknownKid
from keyvault.events import RelyingPartyRegistered
from keyvault.relying_party import RelyingParty
from keyvault.usage import Usage
from tests.keyvault.made import KEPT, NOW, POLICY, History, settled

SHARED = 10 * MINUTE
AT = NOW + DAY


def ring_of(*parties: RelyingParty) -> History:
    history = settled()
    history.append(RelyingPartyRegistered(at=NOW, relying_party=party) for party in parties)
    return history


def party(name: str = "shop", **settings: Any) -> RelyingParty:
    return RelyingParty(id=name, name=name.capitalize(), **settings)


def report(history: History, kid: str, at: int = AT, *, away: bool = False) -> None:
    history.carry_out(commands.compromise(history.ring, POLICY, at, kid, reason="a laptop was stolen"), away=away)


def active(history: History) -> str:
    assert history.ring.active is not None
    return history.ring.active.kid


def only(found: BlastRadius) -> Exposure:
    [exposure] = found.exposures
    return exposure


def test_before_a_report_it_says_what_one_would_come_to_now() -> None:
    history = ring_of(party(library="jose"))
    found = blast_radius(history.ring, active(history), None, AT)
    assert (found.left_at, found.takes_over_at, found.latest_expiry) == (AT, AT + SHARED, AT + KEPT)
    assert only(found).accepts is Accepts.UNTIL
    assert only(found).until == found.accepted_until == AT + SHARED + 30 * SECOND
    assert only(found).refuses_for == 30 * SECOND
    assert "fetches the JWKS anew" in only(found).because


def test_after_it_the_time_runs_from_the_report() -> None:
    history = ring_of(party(library="istio"))
    kid = active(history)
    report(history, kid)
    later = AT + 15 * MINUTE
    found = blast_radius(history.ring, kid, None, later)
    assert (found.left_at, found.latest_expiry) == (AT, AT + KEPT)
    assert (only(found).accepts, only(found).until) == (Accepts.UNTIL, AT + SHARED + 20 * MINUTE)
    assert "It keeps a JWKS for PT20M" in only(found).because
    assert "refuse good tokens" in only(found).refuses
    assert only(blast_radius(history.ring, kid, None, AT + 30 * MINUTE)).accepts is Accepts.NO_MORE


def test_a_clock_that_is_behind_the_log_changes_nothing() -> None:
    history = ring_of(party(library="spring"))
    kid = active(history)
    report(history, kid)
    assert blast_radius(history.ring, kid, None, AT - MINUTE) == blast_radius(history.ring, kid, None, AT)


def test_a_takeover_that_the_key_store_delays_is_told_so() -> None:
    history = ring_of(party(library="go-oidc"))
    kid = active(history)
    report(history, kid, away=True)
    later = AT + 3 * HOUR
    assert blast_radius(history.ring, kid, None, later).takes_over_at == later + SHARED, "no sooner than if it were published now"
    history.settle(later)
    assert blast_radius(history.ring, kid, None, later + MINUTE).takes_over_at == later + SHARED
    history.settle(later + SHARED + HOUR)
    found = blast_radius(history.ring, kid, None, later + 2 * DAY)
    assert found.takes_over_at == only(found).until == later + SHARED + HOUR


@pytest.mark.parametrize("library", ["go-oidc", "aws-jwt-verify"])
def test_of_a_standby_who_never_expires_keeps_it_until_it_is_restarted(library: str) -> None:
    history = ring_of(party(library=library, contact="shop@example.com"))
    assert history.ring.standby is not None
    found = blast_radius(history.ring, history.ring.standby.kid, None, AT)
    assert (found.takes_over_at, found.latest_expiry, found.accepted_until) == (None, None, None)
    assert only(found).accepts is Accepts.UNTIL_RESTARTED
    assert "none takes over" in only(found).because
    assert only(found).advice[0].startswith("Restart it")
    assert (only(found).refuses_for, only(found).refuses) == (0, "")


def test_a_retired_key_has_left_when_its_last_token_expired() -> None:
    history = ring_of(party(library="spring"))
    kid = active(history)
    history.carry_out(commands.rotate(history.ring, POLICY, AT, activate=True, reason="an audit"))
    left = AT + KEPT
    published, gone = blast_radius(history.ring, kid, None, AT + MINUTE), blast_radius(history.ring, kid, None, left + HOUR)
    assert (published.left_at, published.latest_expiry, published.takes_over_at) == (AT + MINUTE, left, None)
    assert only(published).until == AT + MINUTE + SHARED + 5 * MINUTE
    assert (gone.left_at, only(gone).accepts) == (left, Accepts.NO_MORE)
    report(history, kid, left + 2 * HOUR)
    assert blast_radius(history.ring, kid, None, left + 3 * HOUR).left_at == left, "long before it was reported"


def test_who_said_nothing_about_its_cache_is_named_as_unknown() -> None:
    history = ring_of(party())
    found = blast_radius(history.ring, active(history), None, AT)
    assert (only(found).accepts, only(found).until, found.accepted_until) == (Accepts.UNKNOWN, None, None)
    assert any("register that" in advice for advice in only(found).advice)


def test_every_library_has_a_reason_and_what_it_costs() -> None:
    history = ring_of(*(party(name, library=name) for name in LIBRARIES))
    found = blast_radius(history.ring, active(history), None, AT)
    assert len(found.exposures) == len(LIBRARIES)
    costs = {one.relying_party.id: one.refuses_for for one in found.exposures}
    assert (costs["istio"], costs["aws-api-gateway"], costs["dotnet"], costs["spring"]) == (20 * MINUTE, 2 * HOUR, 5 * MINUTE, 0)
    reasons = {one.relying_party.id: one.because for one in found.exposures}
    assert "goes on with the set before for PT1H more" in reasons["dotnet"]
    assert "each key by itself" in reasons["jwks-rsa-java"]
    assert all(one.accepts is Accepts.UNTIL and one.advice for one in found.exposures)


def test_of_no_relying_party_it_says_so() -> None:
    history = ring_of()
    found = blast_radius(history.ring, active(history), None, AT)
    assert found.accepted_until == AT
    assert "No relying party is registered" in summary(found)[-1]


def test_a_key_that_is_not_there() -> None:
    with pytest.raises(UnknownKid):
        blast_radius(settled().ring, "none", None, AT)


def test_in_words_it_says_at_least_how_many_and_when_what_ends() -> None:
    history = ring_of(party("shop", library="jose"), party("till", cached_for=DAY), party("old"))
    kid, usage = active(history), Usage()
    for number in range(1200):
        usage.add({"client_id": "web", "sub": f"user {number % 7}"}, AT + HOUR, AT, bytes(32))
    told = " ".join(summary(blast_radius(history.ring, kid, usage, AT)))
    assert "at least 1,200 tokens for about 7 subjects and 1 client," in told
    assert "none that was signed here is valid after 2027-01-16T09:10:00Z" in told
    assert "would sign that nobody had in a cache before" in told
    assert "accepted by Old, nobody knows" in told
    assert "From 2027-01-17T08:10:00Z on the others refuse them" in told
    assert "is not known now" in summary(blast_radius(history.ring, kid, None, AT))[0]
    assert "no token that was counted" in summary(blast_radius(history.ring, kid, Usage(), AT))[0]


def test_in_words_what_is_still_to_come_after_a_report_is_not_said_to_have_been() -> None:
    history = ring_of()
    kid = active(history)
    report(history, kid)
    told = " ".join(summary(blast_radius(history.ring, kid, None, AT)))
    assert "From 2027-01-16T08:10:00Z on a key signs that nobody had in a cache before" in told


def test_in_words_of_a_key_that_does_not_sign_nothing_takes_over() -> None:
    history = ring_of(party(library="go-oidc"))
    assert history.ring.standby is not None
    told = " ".join(summary(blast_radius(history.ring, history.ring.standby.kid, None, AT)))
    assert "It has never signed here" in told
    assert "nobody refuses good tokens" in told
    assert "Until they are restarted, its tokens may be accepted by Shop." in told
