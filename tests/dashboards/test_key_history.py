"""What happened to the keys: every key event has its words, and none is lost on what it does not know."""

from __future__ import annotations

from typing import Any

import pytest

from dashboards.console.frame import Frame
from dashboards.console.key_history import HISTORY_QUERY, History, HistoryPage
from dashboards.console.render import render
from keyvault import events
from keyvault.durations import DAY
from keyvault.events import TYPES, KeyEvent
from keyvault.orders import CompromiseKey
from keyvault.policy import Policy
from keyvault.relying_party import RelyingParty
from streams.query.parser import parse
from tests.dashboards.hostile import HOSTILE, is_text
from tests.keyvault.made import NOW, POLICY, jwk

KID = jwk(1).kid
EVENTS: dict[str, tuple[KeyEvent, str]] = {
    "key_prepared": (
        events.KeyPrepared(at=NOW, kid=KID, ordinal=1, algorithm=POLICY.algorithm, jwk=jwk(1)),
        "Key 1, EdDSA, is in the JWKS",
    ),
    "key_activated": (events.KeyActivated(at=NOW, kid=KID, token_lifetime=1, forced="an audit"), "Before it was due: an audit."),
    "key_deactivated": (events.KeyDeactivated(at=NOW, kid=KID, publish_until=NOW + DAY), "until 2027-01-16 08:00:00Z"),
    "key_compromised": (events.KeyCompromised(at=NOW, kid=KID, reason="on a laptop"), "Reason: on a laptop"),
    "key_destroyed": (events.KeyDestroyed(at=NOW, kid=KID), "forgot its private half"),
    "key_imported": (
        events.KeyImported(at=NOW, kid=KID, algorithm=POLICY.algorithm, jwk=jwk(1), publish_until=NOW + DAY),
        "made elsewhere",
    ),
    "key_adopted": (events.KeyAdopted(at=NOW, kid=KID), "it signs next"),
    "key_discarded": (events.KeyDiscarded(at=NOW, ordinal=3, algorithm=POLICY.algorithm), "came to nothing"),
    "policy_changed": (events.PolicyChanged(at=NOW, policy=Policy(rotation_period=30 * DAY)), "sign for 30 days, published 25 hours ahead"),
    "relying_party_registered": (
        events.RelyingPartyRegistered(at=NOW, relying_party=RelyingParty(id="shop", name="Shop")),
        "Shop (shop): rotations wait for it",
    ),
    "relying_party_removed": (events.RelyingPartyRemoved(at=NOW, id="shop"), "shop: no rotation waits"),
    "jwks_fetched": (events.JwksFetched(at=NOW, relying_party="shop", kid=KID), "shop was seen to fetch"),
    "approval_requested": (
        events.ApprovalRequested(at=NOW, id="a1", order=CompromiseKey(kid=KID, reason="a leak"), asked_by="token:1", until=NOW + DAY),
        "Asked to report a key as compromised.",
    ),
    "approval_given": (events.ApprovalGiven(at=NOW, id="a1", given_by="token:2"), "A second person agreed to a1"),
    "approval_withdrawn": (events.ApprovalWithdrawn(at=NOW, id="a1", withdrawn_by="token:2", reason="a mistake"), "Reason: a mistake"),
}


def event(action: str, facts: dict[str, Any], by: str = "token:1") -> dict[str, Any]:
    return {"@timestamp": "2026-11-23T16:51:50.932Z", "event.action": action, "user.id": by, "idp": facts}


def says(*found: dict[str, Any], **names: str) -> str:
    history = History.of(found, None, {f"token:{name}": text for name, text in names.items()})
    return render(HistoryPage("acme", NOW, history, later=False), Frame())


@pytest.mark.parametrize("kind", TYPES)
def test_every_key_event_has_its_words(kind: str) -> None:
    told, words = EVENTS[kind]
    facts = events.encode(told)
    assert facts.pop("type") == kind
    [line] = History.of([event(kind, facts)], None, {}).lines
    assert words in " ".join(line.says)
    assert line.title != kind


def test_who_did_it_is_told_by_name_where_the_visitor_may_know_it() -> None:
    line = event("key_destroyed", {"kid": KID}, "token:7f")
    assert "A token of the tenant (7f)" in says(line)
    assert "night watch (token:7f)" in says(line, **{"7f": "night watch"})
    assert "An operator (9a)" in says(event("key_destroyed", {}, "operator:9a"))
    assert "Tenantry itself" in says(event("key_destroyed", {}, "tenantry"))


def test_what_is_not_known_is_shown_all_the_same() -> None:
    assert "key_sung" in says({"event.action": "key_sung", "idp": "no object"})
    assert "a time that is not told" in says(event("key_deactivated", {"publish_until": "soon"}))
    assert says(event("policy_changed", {"policy": 7}), event("relying_party_registered", {}), event("approval_requested", {}))


def test_hostile_facts_are_text() -> None:
    facts = {
        "kid": HOSTILE,
        "reason": HOSTILE,
        "id": HOSTILE,
        "forced": HOSTILE,
        "wave": HOSTILE,
        "relying_party": {"id": HOSTILE, "name": HOSTILE},
    }
    assert is_text(says(*(event(kind, facts, HOSTILE) for kind in (*TYPES, HOSTILE))))


def test_the_question_is_one() -> None:
    parse(HISTORY_QUERY, now=NOW)


def test_silence_and_nothing_are_told_apart() -> None:
    silent = render(HistoryPage("acme", NOW, None, later=False), Frame())
    assert "The search index does not answer" in silent
    assert "Nothing yet" in says()
