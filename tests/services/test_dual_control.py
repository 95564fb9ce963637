"""Dual control over HTTP: what takes two people is asked for by one and done by the other, or not at all."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import msgspec
import pytest

from services.notices.notice import TOLD
from streams.event_log import CONTROL
from streams.scope import TenantScope
from tests.engines import embedded
from tests.platforms import Site
from tests.services.two_people import EVERYTHING, KEYS, WHY, ask, kids, person, refused, ring, set_policy


@pytest.fixture
async def acme(here: Site) -> Site:
    await here.create("acme")
    await set_policy(here, dual_control=EVERYTHING)
    return here


async def test_a_compromise_waits_for_a_second_person(acme: Site) -> None:
    ada, grace = await person(acme, "ada"), await person(acme, "grace")
    active, standby = await kids(acme)
    asked = await ask(ada, f"{active}/compromise", WHY)
    assert (asked["command"], asked["kid"], asked["reason"]) == ("compromise", active, WHY["reason"])
    assert await kids(acme) == [active, standby], "nothing was done"
    listed = (await grace.get(f"{KEYS}/approvals")).json()["approvals"]
    assert [one["id"] for one in listed] == [asked["id"]]
    assert (await grace.get(f"{KEYS}/approvals/{asked['id']}")).json() == listed[0]
    answer = await grace.post(asked["approve"])
    assert (answer.status_code, answer.json()["outcome"], answer.json()["active"]) == (200, "compromised", standby)
    assert active not in await kids(acme)
    assert (await ring(acme))[active]["reason"] == WHY["reason"]
    given = (await ada.get(f"{KEYS}/approvals/{asked['id']}")).json()
    assert (given["state"], given["asked_by"] != given["closed_by"]) == ("given", True)
    assert "approve" not in given


async def test_every_step_is_in_the_tenants_log(acme: Site) -> None:
    ada, grace = await person(acme, "ada"), await person(acme, "grace")
    active, standby = await kids(acme)
    false_alarm = await ask(ada, f"{standby}/compromise", WHY)
    assert (await grace.post(f"{KEYS}/approvals/{false_alarm['id']}/withdraw", json={"reason": "a false alarm"})).status_code == 200
    asked = await ask(ada, f"{active}/compromise", WHY)
    assert (await grace.post(asked["approve"])).status_code == 200
    await acme.settled()
    found = (await acme.operator.get("/v1/tenants/acme/events", params={"q": "event.action:approval_*"})).json()["events"]
    steps = sorted((event["event.action"], event["idp"]["id"]) for event in found)
    assert steps == sorted(
        [
            ("approval_requested", false_alarm["id"]),
            ("approval_withdrawn", false_alarm["id"]),
            ("approval_requested", asked["id"]),
            ("approval_given", asked["id"]),
        ]
    )
    by = {event["event.action"]: event["user.id"] for event in found}
    assert by["approval_requested"] != by["approval_given"] == by["approval_withdrawn"]
    assert {event["event.category"] for event in found} == {"configuration"}


@pytest.mark.parametrize("path", ["rotate", "{standby}/activate"])
async def test_forcing_waits_for_a_second_person_and_says_whom_it_may_break(acme: Site, path: str) -> None:
    ada, grace = await person(acme, "ada"), await person(acme, "grace")
    active, standby = await kids(acme)
    body = {"activate": True, **WHY} if path == "rotate" else WHY
    asked = await ask(ada, path.format(standby=standby), body)
    assert "cached" in asked["warning"]
    assert (await kids(acme))[0] == active
    answer = (await grace.post(asked["approve"])).json()
    assert (answer["outcome"], answer["active"]) == ("activated", standby)
    assert "cached" in answer["warning"]


async def test_a_rotation_that_forces_nothing_waits_for_nobody(acme: Site) -> None:
    ada = await person(acme, "ada")
    answer = await ada.post(f"{KEYS}/rotate", json={})
    assert (answer.status_code, answer.json()["outcome"]) == (200, "waiting")


async def test_a_key_is_destroyed_by_two(acme: Site) -> None:
    ada, grace = await person(acme, "ada"), await person(acme, "grace")
    active, _ = await kids(acme)
    await grace.post((await ask(ada, f"{active}/compromise", WHY))["approve"])
    asked = await ask(grace, f"{active}/destroy")
    assert (await ring(acme))[active]["state"] == "compromised"
    assert (await ada.post(asked["approve"])).json()["outcome"] == "destroyed"
    assert (await ring(acme))[active]["state"] == "destroyed"


async def test_one_person_can_not_weaken_it(acme: Site) -> None:
    ada, grace = await person(acme, "ada"), await person(acme, "grace")
    before = (await ada.get(f"{KEYS}/policy")).json()
    for weaker in ({}, {"dual_control": ["force"]}, {**before, "approval_window": "P7D"}, {**before, "publish_ahead": "PT20M"}):
        answer = await ada.put(f"{KEYS}/policy", json=weaker)
        assert (answer.status_code, answer.json()["command"]) == (202, "policy")
    assert (await ada.get(f"{KEYS}/policy")).json() == before
    asked = (await ada.put(f"{KEYS}/policy", json={"dual_control": ["force"]})).json()
    await refused(await ada.post(asked["approve"]), 403, "second-person-needed")
    answer = await grace.post(asked["approve"])
    assert (answer.status_code, answer.json()["policy"]["dual_control"]) == (200, ["force"])
    [*states] = [one["state"] for one in (await ada.get(f"{KEYS}/approvals")).json()["approvals"]]
    assert sorted(states) == ["given", "withdrawn", "withdrawn", "withdrawn"], "the others meant the policy of before"
    assert (await ada.post(f"{KEYS}/{(await kids(acme))[0]}/compromise", json=WHY)).json()["outcome"] == "compromised"


async def test_one_person_can_strengthen_it_and_is_warned(here: Site) -> None:
    await here.create("acme")
    ada = await person(here, "ada")
    answer = await ada.put(f"{KEYS}/policy", json={"dual_control": ["destroy"]})
    assert (answer.status_code, "warnings" in answer.json()) == (200, False)
    answer = await ada.put(f"{KEYS}/policy", json={"dual_control": ["destroy", "compromise"]})
    assert answer.json()["dual_control"] == ["compromise", "destroy"]
    assert "stays in the JWKS" in answer.json()["warnings"][0]


async def test_it_is_given_once_and_by_nobody_after_it_was_withdrawn(acme: Site) -> None:
    ada, grace, linus = await person(acme, "ada"), await person(acme, "grace"), await person(acme, "linus")
    active, standby = await kids(acme)
    asked = await ask(ada, f"{active}/compromise", WHY)
    assert (await grace.post(asked["approve"])).status_code == 200
    published = await kids(acme)
    assert "was given by token:" in await refused(await linus.post(asked["approve"]), 409, "approval-closed")
    await refused(await ada.post(f"{KEYS}/approvals/{asked['id']}/withdraw"), 409, "approval-closed")
    asked = await ask(ada, f"{standby}/compromise", WHY)
    answer = await ada.post(f"{KEYS}/approvals/{asked['id']}/withdraw", json={"reason": "I mistook it"})
    assert (answer.json()["state"], answer.json()["why"]) == ("withdrawn", "I mistook it")
    assert "I mistook it" in await refused(await grace.post(asked["approve"]), 409, "approval-closed")
    assert await kids(acme) == published


async def test_what_makes_no_sense_any_more_is_withdrawn_and_says_why(acme: Site) -> None:
    ada, grace = await person(acme, "ada"), await person(acme, "grace")
    _, standby = await kids(acme)
    force = await ask(ada, f"{standby}/activate", WHY)
    await grace.post((await ask(ada, f"{standby}/compromise", WHY))["approve"])
    said = await refused(await grace.post(force["approve"]), 409, "approval-closed")
    assert "is compromised and can't be activated" in said
    assert (await grace.get(f"{KEYS}/approvals/{force['id']}")).json()["state"] == "withdrawn"


async def test_an_approval_ends_by_itself(here: Site) -> None:
    await here.create("acme")
    await set_policy(here, dual_control=["compromise"], approval_window="PT1S")
    ada, grace = await person(here, "ada"), await person(here, "grace")
    active, _ = await kids(here)
    asked = await ask(ada, f"{active}/compromise", WHY)
    while (found := (await grace.get(f"{KEYS}/approvals/{asked['id']}")).json())["state"] == "pending":  # for a second
        assert active in await kids(here)
    assert found["state"] == "expired"
    assert "nobody gave it in time" in await refused(await grace.post(asked["approve"]), 409, "approval-closed")
    assert active in await kids(here)
    assert (await ask(ada, f"{active}/compromise", WHY))["id"] != asked["id"]


async def test_fifty_who_approve_at_once_do_it_once(acme: Site) -> None:
    ada, grace = await person(acme, "ada"), await person(acme, "grace")
    active, _ = await kids(acme)
    asked = await ask(ada, f"{active}/compromise", WHY)
    answers = await asyncio.gather(*(grace.post(asked["approve"]) for _ in range(50)))
    assert sorted({answer.status_code for answer in answers}) == [200, 409]
    assert [answer.status_code for answer in answers].count(200) == 1
    assert sorted(key["state"] for key in (await ring(acme)).values()) == ["active", "compromised", "pre-activation"]


async def test_relying_parties_hear_of_nothing_that_was_not_done(acme: Site) -> None:
    ada, grace = await person(acme, "ada"), await person(acme, "grace")
    active, _ = await kids(acme)
    before = {(record.partition, record.offset) for record in await acme.records(CONTROL)}
    asked = await ask(ada, f"{active}/compromise", WHY)

    async def appended() -> list[str]:
        new = [record for record in await acme.records(CONTROL) if (record.partition, record.offset) not in before]
        return [msgspec.json.decode(record.value)["type"] for record in new]

    assert await appended() == ["approval_requested"]
    assert (await grace.post(asked["approve"])).status_code == 200
    assert (await appended())[:3] == ["approval_requested", "approval_given", "key_compromised"]
    assert {"approval_requested", "approval_given"}.isdisjoint(TOLD)


async def test_a_restart_forgets_nothing(acme: Site) -> None:
    """What another node, or this one after a restart, reads of the log is what this one knows."""
    ada = await person(acme, "ada")
    active, _ = await kids(acme)
    await ask(ada, f"{active}/compromise", WHY)
    now = acme.platform.now()
    assert (await acme.platform.custodian.past(TenantScope("acme"), now)).approvals == acme.platform.rings.of("acme").approvals


@embedded
async def test_a_policy_is_given_though_the_key_store_can_not_follow_now(acme: Site, tmp_path: Path) -> None:
    ada, grace = await person(acme, "ada"), await person(acme, "grace")
    wanted = {"algorithm": "ES256", "dual_control": ["compromise"]}
    asked = (await ada.put(f"{KEYS}/policy", json=wanted)).json()
    keys = tmp_path / "data" / "keys"
    shutil.move(keys, tmp_path / "away")
    keys.write_text("not a directory")
    given = await grace.post(asked["approve"])
    assert (given.status_code, given.json()["policy"]["algorithm"]) == (200, "ES256")
    alone = await acme.operator.put(f"{KEYS}/policy", json=wanted | {"rotation_period": "P30D"})
    assert (alone.status_code, alone.json()["rotation_period"]) == (200, "P30D")
    keys.unlink()
    shutil.move(tmp_path / "away", keys)
    await acme.platform.custodian.settle(TenantScope("acme"))
    assert {key["algorithm"] for key in (await ring(acme)).values()} == {"RS256", "ES256"}
