"""Dual control from the command line: one person asks, another approves."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import Ran, Service, service, tenantry

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
SCOPES = ["keys:read", "keys:rotate", "keys:revoke"]


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Service]:
    async with service(tmp_path / "data") as running:
        await running.create("acme")
        answer = await running.ask("PUT", "/v1/tenants/acme/keys/policy", json={"dual_control": ["compromise"]})
        assert answer.status_code == 200
        yield running


async def person(here: Service, name: str) -> Any:
    """What runs a command as somebody with a token of their own."""
    answer = await here.ask("POST", "/v1/tenants/acme/tokens", json={"name": name, "scopes": SCOPES})
    token = answer.json()["token"]

    async def run(*arguments: str) -> Ran:
        return await tenantry(*arguments, data=here.data, port=here.port, token=token)

    return run


async def test_one_asks_and_another_approves(here: Service) -> None:
    ada, grace = await person(here, "ada"), await person(here, "grace")
    active = next(key["kid"] for key in (await ada("keys", "list", "acme", "--json")).json["keys"] if key["state"] == "active")
    asked = await ada("keys", "compromise", "acme", active, "--reason", "found in a public repository")
    assert asked.code == 0, asked.err
    assert "outcome: pending" in asked.out
    [waiting] = (await grace("keys", "approvals", "acme", "--json")).json["approvals"]
    assert f"tenantry keys approve acme {waiting['id']}" in asked.out
    table = (await grace("keys", "approvals", "acme")).out
    assert waiting["id"] in table
    assert "found in a public repository" in table
    own = await ada("keys", "approve", "acme", waiting["id"])
    assert own.code == 1
    assert "somebody else has to approve" in own.err
    assert "Traceback" not in own.err
    done = await grace("keys", "approve", "acme", waiting["id"], "--json")
    assert (done.code, done.json["outcome"], done.json["kid"]) == (0, "compromised", active)
    assert json.loads((await grace("keys", "approvals", "acme", "--json")).out) == {"approvals": []}
    [over] = (await grace("keys", "approvals", "acme", "--all", "--json")).json["approvals"]
    assert over["state"] == "given"


async def test_what_was_withdrawn_is_not_approved(here: Service) -> None:
    ada, grace = await person(here, "ada"), await person(here, "grace")
    active = next(key["kid"] for key in (await ada("keys", "list", "acme", "--json")).json["keys"] if key["state"] == "active")
    identifier = (await ada("keys", "compromise", "acme", active, "--reason", "seen", "--json")).json["id"]
    withdrawn = await grace("keys", "withdraw", "acme", identifier, "--reason", "a false alarm")
    assert withdrawn.code == 0
    assert "state: withdrawn" in withdrawn.out
    late = await grace("keys", "approve", "acme", identifier)
    assert late.code == 1
    assert "a false alarm" in late.err
    odd = await grace("keys", "approve", "acme", "../../policy")
    assert (odd.code, "is not the id of an approval" in odd.err) == (1, True)


async def test_whoever_approves_a_policy_sees_what_it_changes(here: Service) -> None:
    ada, grace = await person(here, "ada"), await person(here, "grace")
    asked = await ada("keys", "policy", "acme", "--set", "approval_window=PT2H")
    assert (asked.code, "Nothing was done yet" in asked.out) == (0, True)
    assert "approval_window: PT1H -> PT2H" in (await grace("keys", "approvals", "acme")).out
    more = await ada("keys", "policy", "acme", "--set", "dual_control=compromise,destroy", "--json")
    assert more.json["dual_control"] == ["compromise", "destroy"]


async def test_a_policy_as_code_that_weakens_it_waits_too(here: Service, tmp_path: Path) -> None:
    (tmp_path / "tenants").mkdir()
    (tmp_path / "tenants" / "acme.yaml").write_text("display_name: Acme\nkeys: {rotation_period: P30D, dual_control: []}\n")
    ran = await here.run("apply", str(tmp_path / "tenants"))
    assert ran.code == 0, ran.err
    assert "wants a second person" in ran.out
    [applied] = (await here.run("apply", str(tmp_path / "tenants"), "--json")).json
    assert (applied["applied"], applied["approval"].startswith("a")) == (False, True)
    assert (await here.ask("GET", "/v1/tenants/acme/keys/policy")).json()["dual_control"] == ["compromise"]
