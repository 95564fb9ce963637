"""What others wrote is printed so that no terminal obeys it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from keyvault.algorithms import Algorithm
from keyvault.jwk import PublicJwk
from tests.e2e.commands import HOSTILE, ran
from tests.platforms import REALM_IDS
from tests.processes import Service, ndjson

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="module")]


def hostile_event() -> dict[str, Any]:
    details = {"username": HOSTILE, "note": HOSTILE}
    realm = REALM_IDS["tyrell"]
    event = {"id": "hostile", "time": 1_795_000_000_000, "type": f"LOGIN_ERROR{HOSTILE}", "realmId": realm, "error": HOSTILE}
    return {**event, "clientId": HOSTILE, "ipAddress": HOSTILE, "userId": HOSTILE, "details": details}


def harmless(text: str) -> bool:
    """Whether a terminal shows it and obeys none of it."""
    return all(line.isprintable() for line in text.split("\n"))


async def test_what_an_attacker_wrote_never_reaches_the_terminal_as_it_is(here: Service, tmp_path: Path) -> None:
    file = ndjson(tmp_path / "hostile.ndjson", [hostile_event()])
    assert (await here.run("ingest", "--source", "keycloak", "--wait", str(file))).out.startswith("1 event: 1 indexed")
    event = json.loads(await ran(here, "search", "tyrell", "event.id:hostile", "--json"))
    assert event["user.name"] == HOSTILE, "in the event it is whole"
    answer = await here.ask("PUT", "/v1/tenants/tyrell", json={"display_name": HOSTILE[:150]})
    assert answer.status_code == 200, answer.text
    for command in (["search", "tyrell", "event.id:hostile"], ["tenants", "list"]):
        table = await ran(here, *command)
        assert "admin" in table
        assert harmless(table), command
    [line] = (await ran(here, "tail", "tyrell", "event.id:hostile", "-n", "1")).splitlines()
    assert harmless(line)
    assert "login_error" in line


async def test_a_reason_that_another_wrote_is_printed_harmlessly(here: Service) -> None:
    [key] = [key for key in (await here.get("/v1/tenants/tyrell/keys")).json()["keys"] if key["state"] == "pre-activation"]
    answer = await here.post(f"/v1/tenants/tyrell/keys/{key['kid']}/compromise", {"reason": HOSTILE})
    assert answer.status_code == 200, answer.text
    shown = await ran(here, "keys", "compromise", "tyrell", key["kid"], "--reason", "again")
    assert "admin" in shown
    assert harmless(shown)
    assert not any(line.startswith("2026-11-23T10:00:00.000Z") for line in shown.splitlines()), "a line of its own"


async def test_a_kid_that_another_chose_is_printed_harmlessly(here: Service) -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    jwk = PublicJwk.from_public_key(public, Algorithm.ES256, "=1+1<script>\u0645" + "W" * 200).to_dict()
    body = {"jwks": {"keys": [jwk, {**jwk, "kid": HOSTILE}]}, "publish_until": "now+1d"}
    skipped = await here.post("/v1/tenants/tyrell/keys/import", body)
    assert skipped.json()["skipped"][0]["kid"] == HOSTILE, "a kid that can't be printed is none"
    listed = await ran(here, "keys", "list", "tyrell")
    assert jwk["kid"] in listed
    assert harmless(listed)


async def test_an_error_that_quotes_is_printed_harmlessly(here: Service) -> None:
    result = await here.run("search", "globex", f"no.such.field{HOSTILE}:x")
    assert result.code == 1
    assert harmless(result.err)
