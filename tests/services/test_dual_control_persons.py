"""Who may approve what: somebody else, who is somebody still, and nobody who only looks like a second person."""

from __future__ import annotations

import pytest

from tests.platforms import Site
from tests.services.two_people import EVERYTHING, KEYS, WHY, ask, kids, person, refused, set_policy


@pytest.fixture
async def acme(here: Site) -> Site:
    await here.create("acme")
    await set_policy(here, dual_control=EVERYTHING)
    return here


async def test_what_looks_like_two_people_and_is_one(acme: Site) -> None:
    admin = await person(acme, "admin", "tenant:admin", "keys:read", "keys:rotate", "keys:revoke")
    second = await person(acme, "second", "tenant:admin", "keys:rotate", "keys:revoke", by=admin)
    third, fourth = await person(acme, "third", by=admin), await person(acme, "fourth", "keys:revoke", by=second)
    grace = await person(acme, "grace")
    mallory = [admin, second, third, fourth]
    active, _ = await kids(acme)
    for asking in mallory:
        asked = await ask(asking, f"{active}/compromise", WHY)
        for approving in mallory:
            said = await refused(await approving.post(asked["approve"]), 403, "second-person-needed")
            assert "somebody else has to approve" in said
        assert (await asking.post(f"{KEYS}/approvals/{asked['id']}/withdraw")).json()["state"] == "withdrawn"
    asked = await ask(grace, f"{active}/compromise", WHY)
    await refused(await acme.operator.post(asked["approve"]), 403, "second-person-needed")
    assert active in await kids(acme)
    assert (await fourth.post(asked["approve"])).status_code == 200, "an operator has minted the first tokens of both"


async def test_the_operator_who_asked_is_none_of_those_it_gave_tokens_to(acme: Site) -> None:
    grace = await person(acme, "grace")
    active, _ = await kids(acme)
    asked = await ask(acme.operator, f"{active}/compromise", WHY)
    assert asked["asked_by"].startswith("operator:")
    await refused(await acme.operator.post(asked["approve"]), 403, "second-person-needed")
    await refused(await grace.post(asked["approve"]), 403, "second-person-needed")


async def test_a_minter_whose_token_was_revoked_is_still_the_same_person(acme: Site) -> None:
    admin = await person(acme, "admin", "tenant:admin", "keys:read", "keys:revoke")
    one, other = await person(acme, "one", "keys:revoke", by=admin), await person(acme, "other", "keys:revoke", by=admin)
    tokens = (await acme.operator.get("/v1/tenants/acme/tokens")).json()["tokens"]
    identifier = next(token["id"] for token in tokens if token["name"] == "admin")
    assert (await acme.operator.delete(f"/v1/tenants/acme/tokens/{identifier}")).status_code == 204
    asked = await ask(one, f"{(await kids(acme))[0]}/compromise", WHY)
    await refused(await other.post(asked["approve"]), 403, "second-person-needed")


async def test_what_a_stolen_token_asked_for_is_not_done_once_it_was_revoked(acme: Site) -> None:
    mallory, grace = await person(acme, "mallory"), await person(acme, "grace")
    active, standby = await kids(acme)
    asked = await ask(mallory, f"{active}/compromise", WHY)
    identifier = asked["asked_by"].removeprefix("token:")
    assert (await acme.operator.delete(f"/v1/tenants/acme/tokens/{identifier}")).status_code == 204
    assert "revoked or has expired" in await refused(await grace.post(asked["approve"]), 409, "approval-closed")
    assert await kids(acme) == [active, standby]


async def test_what_a_revoked_token_asked_for_does_not_stand_in_for_those_who_are_left(acme: Site) -> None:
    mallory, ada, grace = await person(acme, "mallory"), await person(acme, "ada"), await person(acme, "grace")
    active, standby = await kids(acme)
    dead = await ask(mallory, f"{active}/compromise", WHY)
    assert (await ask(ada, f"{active}/compromise", WHY))["id"] == dead["id"], "while mallory is somebody"
    assert (await acme.operator.delete(f"/v1/tenants/acme/tokens/{dead['asked_by'].removeprefix('token:')}")).status_code == 204
    asked = await ask(ada, f"{active}/compromise", WHY)
    assert asked["id"] != dead["id"]
    assert (await ada.get(f"{KEYS}/approvals/{dead['id']}")).json()["state"] == "withdrawn"
    assert (await grace.post(asked["approve"])).status_code == 200
    published = await kids(acme)
    assert active not in published
    assert standby in published


async def test_approving_takes_the_scope_that_asking_takes(acme: Site) -> None:
    ada = await person(acme, "ada")
    rotator, revoker = await person(acme, "rotator", "keys:rotate"), await person(acme, "revoker", "keys:revoke")
    reader = await person(acme, "reader", "keys:read", "events:read", "tenant:admin")
    active, _ = await kids(acme)
    compromise = await ask(ada, f"{active}/compromise", WHY)
    force = await ask(ada, "rotate", {"activate": True, **WHY})
    for who, asked in ((rotator, compromise), (revoker, force), (reader, compromise), (reader, force)):
        for what in ("approve", "withdraw"):
            await refused(await who.post(f"{KEYS}/approvals/{asked['id']}/{what}"), 403, "forbidden")
    assert (await rotator.get(f"{KEYS}/approvals")).status_code == 403
    anybody = acme.client(None)
    assert (await anybody.post(compromise["approve"])).status_code == 401
    assert (await anybody.get(f"{KEYS}/approvals")).status_code == 401
    assert (await rotator.post(force["approve"])).status_code == 200
    assert (await revoker.post(compromise["approve"])).status_code == 200


async def test_another_tenants_approvals_do_not_exist(acme: Site) -> None:
    await acme.create("globex")
    ada, mallory = await person(acme, "ada"), await person(acme, "mallory", tenant="globex")
    asked = await ask(ada, f"{(await kids(acme))[0]}/compromise", WHY)
    for path in (asked["approve"], f"{KEYS}/approvals/{asked['id']}/withdraw"):
        await refused(await mallory.post(path), 404, "not-found")
        elsewhere = path.replace("acme", "globex")
        await refused(await mallory.post(elsewhere), 404, "unknown-approval")
        await refused(await acme.operator.post(elsewhere), 404, "unknown-approval")
    assert (await mallory.get(f"{KEYS}/approvals")).status_code == 404
    assert (await mallory.get("/v1/tenants/globex/keys/approvals")).json() == {"approvals": []}
    await refused(await ada.get(f"{KEYS}/approvals/none"), 404, "unknown-approval")
    assert (await ada.get(f"{KEYS}/approvals/{asked['id']}")).json()["state"] == "pending"
