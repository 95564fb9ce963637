"""The commands for keys, as security teams and scripts call them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.commands import HOSTILE, ran
from tests.processes import Service

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="module")]


async def test_keys_are_rotated(here: Service) -> None:
    waiting = json.loads(await ran(here, "keys", "rotate", "wonka", "--json"))
    assert (waiting["outcome"], waiting["state"]) == ("waiting", "pre-activation")
    refused = await here.run("keys", "rotate", "wonka", "--activate")
    assert refused.code == 1
    assert "reason" in refused.err
    forced = json.loads(await ran(here, "keys", "rotate", "wonka", "--activate", "--reason", "a test", "--json"))
    assert (forced["kid"], forced["active"]) == (waiting["kid"], waiting["kid"])
    assert "warning" in forced


async def test_a_standby_is_activated_when_it_is_due_or_with_a_reason(here: Service) -> None:
    [standby] = [
        key["kid"] for key in json.loads(await ran(here, "keys", "list", "tyrell", "--json"))["keys"] if key["state"] == "pre-activation"
    ]
    early = await here.run("keys", "activate", "tyrell", standby)
    assert (early.code, "give a reason" in early.err) == (1, True)
    forced = json.loads(await ran(here, "keys", "activate", "tyrell", standby, "--reason", "a test", "--json"))
    assert forced["active"] == standby


async def test_which_key_is_which_is_said_in_words(here: Service) -> None:
    keys = {key["state"]: key for key in json.loads(await ran(here, "keys", "list", "hooli", "--json"))["keys"]}
    active, standby = keys["active"], keys["pre-activation"]
    told = (await ran(here, "keys", "rotate", "hooli")).splitlines()
    assert told[:3] == ["outcome: waiting", f"active key: {active['kid']}", f"standby key: {standby['kid']}"]
    table = (await ran(here, "keys", "list", "hooli")).splitlines()
    assert table[0].split() == ["kid", "algorithm", "state", "published_at", "signs_from", "publish_until"]
    rows = {line.split()[0]: line.split() for line in table[1:3]}
    assert rows[standby["kid"]][4] == standby["activates_at"]
    assert rows[active["kid"]][4] == active["activated_at"]
    assert table[3] == f"The standby {standby['kid']} is safe to activate from {standby['ready_at']} on."


async def test_what_was_reported_is_destroyed(here: Service) -> None:
    kid = json.loads(await ran(here, "keys", "list", "umbrella", "--json"))["keys"][0]["kid"]
    refused = await here.run("keys", "destroy", "umbrella", "--", kid)
    assert refused.code == 1
    await ran(here, "keys", "compromise", "umbrella", "--reason", "a test", "--json", "--", kid)
    assert json.loads(await ran(here, "keys", "destroy", "umbrella", "--json", "--", kid))["state"] == "destroyed"


async def test_who_is_affected_by_a_bad_key_is_said_before_it_is_reported_and_with_it(here: Service) -> None:
    tenant = "initech"
    path = f"/v1/tenants/{tenant}"
    party = {"name": HOSTILE, "library": "istio", "contact": "shop@example.com"}
    assert (await here.ask("PUT", f"{path}/relying-parties/shop", json=party)).status_code == 201
    keys = json.loads(await ran(here, "keys", "list", tenant, "--json"))["keys"]
    [kid] = [key["kid"] for key in keys if key["state"] == "active"]
    for client in ("web", HOSTILE):
        assert (await here.post(f"{path}/tokens/sign", {"claims": {"client_id": client, "sub": "ada"}})).status_code == 200
    machine = json.loads(await ran(here, "keys", "blast-radius", tenant, kid, "--json"))
    assert (machine["state"], machine["usage"]["signatures"]) == ("active", 2)
    told = await ran(here, "keys", "blast-radius", tenant, kid)
    assert "at least 2 tokens for about 1 subject and 2 clients" in told
    assert "shop@example.com" in told
    assert "It keeps a JWKS for PT20M" in told
    reported = await ran(here, "keys", "compromise", tenant, kid, "--reason", "a laptop was stolen")
    assert "outcome: compromised" in reported
    assert "at least 2 tokens for about 1 subject and 2 clients" in reported
    unsafe = {character for character in HOSTILE if not character.isprintable()} - {"\n"}
    assert not unsafe & set(told + reported)


async def test_a_policy_is_shown_and_changed_with_whom_it_may_break(here: Service, tmp_path: Path) -> None:
    assert "warning" not in await ran(here, "keys", "policy", "hooli")
    changed = (await ran(here, "keys", "policy", "hooli", "--set", "publish_ahead=PT1H", "--set", "max_published_keys=6")).splitlines()
    assert ["publish_ahead", "PT1H"] in [line.split() for line in changed]
    assert ["max_published_keys", "6"] in [line.split() for line in changed]
    assert changed[-1].startswith("warning: publish_ahead of PT1H is less than")
    refused = await here.run("keys", "policy", "hooli", "--set", "publish_ahead")
    assert (refused.code, len(refused.err.splitlines())) == (1, 1)
    (tmp_path / "hooli.yaml").write_text("{display_name: Hooli, keys: {publish_ahead: PT2H}}")
    applied = await ran(here, "apply", str(tmp_path))
    assert "hooli: warning: publish_ahead of PT2H is less than" in applied
    assert "warnings" not in json.loads(await ran(here, "keys", "policy", "hooli", "--set", "publish_ahead=PT25H", "--json"))
