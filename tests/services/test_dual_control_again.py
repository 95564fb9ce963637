"""Requests that are repeated under dual control: nothing is done twice, and nothing passes for done that was not."""

from __future__ import annotations

import pytest

from tests.platforms import Site
from tests.services.two_people import EVERYTHING, KEYS, WHY, ask, kids, person, refused, set_policy


@pytest.fixture
async def acme(here: Site) -> Site:
    await here.create("acme")
    await set_policy(here, dual_control=EVERYTHING)
    return here


async def test_the_same_request_again_is_the_same_approval(acme: Site) -> None:
    ada, grace = await person(acme, "ada"), await person(acme, "grace")
    active, _ = await kids(acme)
    once = {"Idempotency-Key": "once"}
    asked = await ask(ada, f"{active}/compromise", WHY, **once)
    again = await ask(ada, f"{active}/compromise", WHY, **once)
    assert {**again, "blast_radius": None} == {**asked, "blast_radius": None}, "that one is of now"
    assert (await ask(grace, f"{active}/compromise", WHY))["id"] == asked["id"]
    await refused(await ada.post(f"{KEYS}/rotate", json={"activate": True, **WHY}, headers=once), 422, "idempotency-key-reused")
    for outcome in ("compromised", "unchanged"):
        answer = await grace.post(asked["approve"], headers={"Idempotency-Key": "yes"})
        assert (answer.status_code, answer.json()["outcome"]) == (200, outcome)
    answer = await ada.post(f"{KEYS}/{active}/compromise", json=WHY, headers=once)
    assert (answer.status_code, answer.json()["outcome"]) == (200, "unchanged")


async def test_a_repeated_request_does_not_pass_for_one_that_was_done(acme: Site) -> None:
    ada, grace = await person(acme, "ada"), await person(acme, "grace")
    active, _ = await kids(acme)
    once = {"Idempotency-Key": "once"}
    asked = await ask(ada, f"{active}/compromise", WHY, **once)
    assert (await grace.post(f"{KEYS}/approvals/{asked['id']}/withdraw")).status_code == 200
    await refused(await ada.post(f"{KEYS}/{active}/compromise", json=WHY, headers=once), 409, "approval-closed")


async def test_a_repeated_request_of_a_revoked_token_does_not_wait_for_what_nobody_can_give(acme: Site) -> None:
    mallory, ada, grace = await person(acme, "mallory"), await person(acme, "ada"), await person(acme, "grace")
    active, _ = await kids(acme)
    once = {"Idempotency-Key": "once"}
    dead = await ask(mallory, f"{active}/compromise", WHY, **once)
    assert (await ask(ada, f"{active}/compromise", WHY, **once))["id"] == dead["id"], "while mallory is somebody"
    assert (await acme.operator.delete(f"/v1/tenants/acme/tokens/{dead['asked_by'].removeprefix('token:')}")).status_code == 204
    said = await refused(await ada.post(f"{KEYS}/{active}/compromise", json=WHY, headers=once), 409, "approval-closed")
    assert "ask anew" in said
    asked = await ask(ada, f"{active}/compromise", WHY, **{"Idempotency-Key": "anew"})
    assert (await grace.post(asked["approve"])).json()["outcome"] == "compromised"


async def test_what_made_no_sense_makes_none_when_it_is_said_again(acme: Site) -> None:
    ada, grace = await person(acme, "ada"), await person(acme, "grace")
    _, standby = await kids(acme)
    asked = await ask(ada, f"{standby}/activate", WHY)
    first = await ask(ada, f"{standby}/compromise", WHY)
    assert (await grace.post(first["approve"])).status_code == 200
    for _ in range(2):
        await refused(await grace.post(asked["approve"], headers={"Idempotency-Key": "once"}), 409, "approval-closed")
