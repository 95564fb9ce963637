"""Key events come back from their JSON, whoever wrote it."""

from __future__ import annotations

import json

import pytest

from keyvault import events
from keyvault.algorithms import Algorithm
from keyvault.errors import BrokenHistory
from keyvault.events import (
    ApprovalGiven,
    ApprovalRequested,
    ApprovalWithdrawn,
    JwksFetched,
    KeyActivated,
    KeyAdopted,
    KeyCompromised,
    KeyDeactivated,
    KeyDestroyed,
    KeyDiscarded,
    KeyEvent,
    KeyImported,
    KeyPrepared,
    PolicyChanged,
    RelyingPartyRegistered,
    RelyingPartyRemoved,
)
from keyvault.orders import ActivateKey, ChangePolicy, CompromiseKey, DestroyKey, Order, Rotate
from keyvault.policy import Guard, Policy
from keyvault.relying_party import RelyingParty
from tests.keyvault.made import NOW, jwk

ORDERS: list[Order] = [
    CompromiseKey(kid="k", reason="found on a USB stick"),
    DestroyKey(kid="k"),
    Rotate(activate=True, reason="vendor asked", instead_of="k"),
    ActivateKey(kid="k", reason="vendor asked"),
    ChangePolicy(policy=Policy(dual_control=(Guard.FORCE,))),
]
ALL: list[KeyEvent] = [
    KeyPrepared(at=NOW, kid=jwk(1).kid, ordinal=1, algorithm=Algorithm.EDDSA, jwk=jwk(1), emergency=True),
    KeyActivated(at=NOW, kid="k", token_lifetime=3_600_000, forced="why not"),
    KeyActivated(at=NOW, kid="k", token_lifetime=3_600_000),
    KeyDeactivated(at=NOW, kid="k", publish_until=NOW + 1),
    KeyCompromised(at=NOW, kid="k", reason="found on a USB stick"),
    KeyDestroyed(at=NOW, kid="k"),
    PolicyChanged(at=NOW, policy=Policy(algorithm=Algorithm.ES384, clock_skew=0)),
    KeyDiscarded(at=NOW, ordinal=3, algorithm=Algorithm.RS256),
    RelyingPartyRegistered(at=NOW, relying_party=RelyingParty(id="shop", name="Shop", library="jose", own_url=True)),
    RelyingPartyRemoved(at=NOW, id="shop"),
    JwksFetched(at=NOW, relying_party="shop", kid="k"),
    KeyImported(at=NOW, kid=jwk(2).kid, algorithm=Algorithm.EDDSA, jwk=jwk(2), publish_until=NOW + 1, private=True),
    KeyAdopted(at=NOW, kid=jwk(2).kid, known_since=NOW - 1),
    *(ApprovalRequested(at=NOW, id="a1", order=order, asked_by="token:1", until=NOW + 1) for order in ORDERS),
    ApprovalGiven(at=NOW, id="a1", given_by="token:2"),
    ApprovalWithdrawn(at=NOW, id="a1", withdrawn_by="token:2", reason="a false alarm"),
    ApprovalWithdrawn(at=NOW, id="a1", withdrawn_by="token:2"),
]


@pytest.mark.parametrize("event", ALL, ids=lambda event: type(event).__name__)
def test_an_event_comes_back_from_its_json(event: KeyEvent) -> None:
    assert events.decode(json.loads(json.dumps(events.encode(event)))) == event


def test_the_names_of_the_events() -> None:
    assert {events.encode(event)["type"] for event in ALL} == set(events.TYPES)


def test_the_public_half_is_in_the_event() -> None:
    assert events.encode(ALL[0])["jwk"] == jwk(1).to_dict()


def test_fields_of_a_newer_version_are_left_out() -> None:
    data = {**events.encode(ALL[3]), "approved_by": ["ada", "grace"]}
    assert events.decode(data) == ALL[3]
    policy = events.encode(ALL[6])
    policy["policy"]["waves"] = 5
    assert events.decode(policy) == ALL[6]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "None is not a key event"),
        ({"type": "key_exported", "at": 1}, "'key_exported' is not a key event that this version knows"),
        ({"type": "key_destroyed", "at": 1}, "kid"),
        ({"type": "key_destroyed", "at": "1", "kid": "k"}, "at"),
    ],
)
def test_what_is_no_known_event_is_refused(data: dict[str, object], message: str) -> None:
    with pytest.raises(BrokenHistory, match=message):
        events.decode(data)
