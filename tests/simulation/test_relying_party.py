"""The simulated clients do what the rules say, each rule by itself."""

from __future__ import annotations

from keyvault.caching import Caching
from keyvault.durations import HOUR, MINUTE, SECOND
from tests.keyvault.made import NOW
from tests.simulation.issuer import Token
from tests.simulation.relying_party import RelyingParty, Verdict

ACCEPTED, REFUSED, UNREACHABLE = Verdict.ACCEPTED, Verdict.REFUSED, Verdict.UNREACHABLE


class Published:
    """A JWKS that the test changes, and how often it was fetched."""

    def __init__(self, *kids: str) -> None:
        self.kids: frozenset[str] | None = frozenset(kids)
        self.fetched = 0

    def change(self, *kids: str) -> None:
        self.kids = frozenset(kids)

    def fetch(self, now: int) -> frozenset[str] | None:
        del now
        self.fetched += 1
        return self.kids


def verify(party: RelyingParty, kid: str, after: int) -> Verdict:
    return party.verify(Token(kid, NOW + 1000 * HOUR), NOW + after)


def test_it_keeps_what_it_fetched_for_its_lifetime() -> None:
    jwks = Published("a")
    party = RelyingParty(Caching(lifetime=MINUTE, refetches=False), jwks.fetch)
    assert verify(party, "a", 0) is ACCEPTED
    jwks.change("b")
    assert (verify(party, "a", MINUTE - 1), verify(party, "b", MINUTE - 1)) == (ACCEPTED, REFUSED)
    assert (verify(party, "a", MINUTE), verify(party, "b", MINUTE)) == (REFUSED, ACCEPTED)


def test_it_refetches_for_an_unknown_kid_but_not_before_its_cooldown_is_over() -> None:
    jwks = Published("a")
    party = RelyingParty(Caching(lifetime=None, refetches=True, cooldown=30 * SECOND), jwks.fetch)
    assert verify(party, "a", 0) is ACCEPTED
    jwks.change("b")
    assert (verify(party, "b", 30 * SECOND - 1), verify(party, "a", 30 * SECOND - 1)) == (REFUSED, ACCEPTED)
    assert (verify(party, "b", 30 * SECOND), verify(party, "a", 30 * SECOND)) == (ACCEPTED, REFUSED)


def test_a_burst_of_fetches_comes_before_the_cooldown_holds() -> None:
    jwks = Published("a")
    party = RelyingParty(Caching(lifetime=None, refetches=True, cooldown=MINUTE, burst=3), jwks.fetch)
    for number in range(5):
        verify(party, f"unknown {number}", 0)
    assert jwks.fetched == 3
    verify(party, "unknown", MINUTE - 1)
    assert jwks.fetched == 3
    verify(party, "unknown", MINUTE)
    verify(party, "unknown", MINUTE)
    assert jwks.fetched == 4


def test_keys_one_by_one_drop_the_least_recently_used() -> None:
    jwks = Published("a", "b", "c")
    party = RelyingParty(Caching(lifetime=HOUR, refetches=True, per_key=True, most_keys=2), jwks.fetch)
    for kid in ("a", "b", "a", "c"):
        assert verify(party, kid, 0) is ACCEPTED
    assert jwks.fetched == 3
    jwks.change()
    assert [verify(party, kid, 1) for kid in ("a", "b", "c")] == [ACCEPTED, REFUSED, ACCEPTED]
    assert verify(party, "a", HOUR) is REFUSED


def test_in_the_background_a_token_is_judged_by_what_was_there_before() -> None:
    jwks = Published("a")
    party = RelyingParty(Caching(lifetime=HOUR, refetches=True, background=True), jwks.fetch)
    assert verify(party, "a", 0) is ACCEPTED
    jwks.change("b")
    assert [verify(party, "b", 1), verify(party, "b", 2), verify(party, "a", 3)] == [REFUSED, ACCEPTED, REFUSED]
    jwks.change("c")
    assert [verify(party, "b", 2 * HOUR), verify(party, "b", 2 * HOUR)] == [ACCEPTED, REFUSED]


def test_the_set_before_is_good_for_its_grace_after_it_was_used_last() -> None:
    jwks = Published("a")
    party = RelyingParty(Caching(lifetime=MINUTE, refetches=False, grace=HOUR), jwks.fetch)
    assert verify(party, "a", SECOND) is ACCEPTED
    jwks.change("b")
    assert verify(party, "b", 2 * MINUTE) is ACCEPTED
    assert [verify(party, "a", HOUR), verify(party, "a", HOUR + SECOND)] == [ACCEPTED, REFUSED]


def test_in_an_outage_it_keeps_what_it_has_or_refuses_by_its_own_rule() -> None:
    jwks = Published("a")
    keeping = RelyingParty(Caching(lifetime=MINUTE, refetches=False, keeps_stale=True), jwks.fetch)
    emptying = RelyingParty(Caching(lifetime=MINUTE, refetches=False), jwks.fetch)
    assert (verify(keeping, "a", 0), verify(emptying, "a", 0)) == (ACCEPTED, ACCEPTED)
    jwks.kids = None
    assert (verify(keeping, "a", HOUR), verify(emptying, "a", HOUR)) == (ACCEPTED, UNREACHABLE)
    assert verify(keeping, "b", HOUR) is UNREACHABLE


def test_a_token_is_expired_by_its_own_clock() -> None:
    slow = RelyingParty(Caching(lifetime=MINUTE, refetches=False), Published("a").fetch, clock=-MINUTE)
    assert slow.verify(Token("a", NOW), NOW + MINUTE - 1) is ACCEPTED
    assert slow.verify(Token("a", NOW), NOW + MINUTE) is Verdict.EXPIRED
