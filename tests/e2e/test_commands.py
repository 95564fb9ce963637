"""The command line, as people and scripts call it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec
from typer.main import get_command
from typer.testing import CliRunner

from keyvault.algorithms import Algorithm
from keyvault.jwk import PublicJwk
from services.cli import app
from tests.engines import embedded
from tests.platforms import REALM_IDS
from tests.processes import OWN, Service, ndjson, service, tenantry

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="module")]

HOSTILE = "\x1b[2J\x1b]0;owned\x07 \u202eadmin\u202c \r\n2026-11-23T10:00:00.000Z  login  success  root\t\x9b31m\u2028\x7f\u200b"
"""Clears the screen, names the window, turns the reading direction, and pretends to be a line of its own."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with service(tmp_path_factory.mktemp("commands") / "data", sample=1) as running:
        await running.settled()
        yield running


async def ran(here: Service, *arguments: str) -> str:
    """What a command prints that succeeds."""
    result = await here.run(*arguments)
    assert (result.code, result.err) == (0, "")
    return result.out


async def test_doctor_finds_nothing_wrong(here: Service) -> None:
    findings = json.loads(await ran(here, "doctor", "--json"))
    assert all(finding["ok"] for finding in findings)
    assert {finding["check"] for finding in findings} >= {"data directory", "event log", "search index", "key store"}
    lines = (await ran(here, "doctor")).splitlines()
    assert all(line.startswith("ok ") for line in lines)


@embedded
async def test_doctor_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "log.sqlite").write_text("this is no database, but long enough to be looked at" * 100)
    result = await tenantry("doctor", data=tmp_path / "data")
    assert result.code == 1
    assert "BAD  event log" in result.out
    assert "Traceback" not in result.err


async def test_search_prints_events(here: Service) -> None:
    q = f"{OWN} AND event.action:login_error"
    events = [json.loads(line) for line in (await ran(here, "search", "globex", q, "--limit", "7", "--json")).splitlines()]
    assert len(events) == 7
    assert {event["event.action"] for event in events} == {"login_error"}
    assert [event["@timestamp"] for event in events] == sorted((event["@timestamp"] for event in events), reverse=True)
    every = (await ran(here, "search", "globex", OWN, "--limit", "5000", "--json")).splitlines()
    assert len({json.loads(line)["event.id"] for line in every}) == 1960, "more than one page"
    table = await here.run("search", "globex", q, "--limit", "7")
    assert len(table.out.splitlines()) == 8, "a heading and seven lines"
    assert "only the newest 7 are shown" in table.err
    assert "--limit N shows more" in table.err
    whole = await ran(here, "search", "globex", f"event.id:{events[0]['event.id']}", "--limit", "1")
    assert len(whole.splitlines()) == 2, "and no word of more"


async def test_what_is_not_there_is_said(here: Service) -> None:
    for command in ("search", "tail"):
        result = await here.run(command, "globex", "event.action:no_such_thing")
        assert (result.code, result.out, "no events match" in result.err) == (0, "", True)


async def test_a_wrong_query_is_one_line_on_the_standard_error(here: Service) -> None:
    result = await here.run("search", "globex", "user.nam:x")
    assert (result.code, result.out) == (1, "")
    assert "user.name" in result.err
    assert len(result.err.splitlines()) == 1


async def test_tail_prints_the_last_events_in_their_order(here: Service) -> None:
    lines = (await ran(here, "tail", "hooli", OWN, "-n", "3", "--json")).splitlines()
    events = [json.loads(line) for line in lines]
    newest = (await here.get("/v1/tenants/hooli/events", q=OWN, limit=3)).json()["events"]
    assert [event["event.id"] for event in events] == [event["event.id"] for event in reversed(newest)]
    assert len((await ran(here, "tail", "hooli", OWN, "-n", "3")).splitlines()) == 3


async def test_export_writes_every_event(here: Service) -> None:
    lines = (await ran(here, "export", "globex", OWN)).splitlines()
    assert len({json.loads(line)["event.id"] for line in lines}) == len(lines) == 1960


async def test_tenants_and_keys_are_listed(here: Service) -> None:
    tenants = json.loads(await ran(here, "tenants", "list", "--json"))
    assert {tenant["id"] for tenant in tenants} >= set(REALM_IDS)
    assert "globex" in await ran(here, "tenants", "list")
    keys = json.loads(await ran(here, "keys", "list", "globex", "--json"))["keys"]
    assert sorted(key["state"] for key in keys) == ["active", "pre-activation"]
    table = await ran(here, "keys", "list", "globex")
    assert all(key["kid"] in table for key in keys)


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


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and group that there is, as one writes them."""
    command = command or get_command(app)
    yield path
    for name, part in getattr(command, "commands", {}).items():
        yield from commands(part, (*path, name))


def used(command: tuple[str, ...]) -> str:
    """How its help begins."""
    return " ".join(["Usage: tenantry", *command])


async def test_every_command_says_how_it_is_used() -> None:
    every = list(commands())
    assert {(), ("serve",), ("ingest",), ("keys", "rotate"), ("tenants", "put")} <= set(every)
    for command in every:
        result = CliRunner().invoke(app, [*command, "--help"], prog_name="tenantry")
        assert result.exit_code == 0, command
        assert result.output.startswith(used(command))


@pytest.mark.parametrize("command", [pytest.param(one, marks=[pytest.mark.long] if one else []) for one in commands()], ids=" ".join)
async def test_asking_for_help_makes_nothing(tmp_path: Path, command: tuple[str, ...]) -> None:
    result = await tenantry(*command, "--help", data=tmp_path / "data")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(used(command))
    assert not (tmp_path / "data").exists()


async def test_without_a_service_the_commands_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "operator.token").write_text("tnt_0123456789abcdef_" + "x" * 43)
    result = await tenantry("tenants", "list", data=tmp_path, port=1)
    assert result.code == 1
    assert "tenantry serve" in result.err
    missing = await tenantry("tenants", "list", data=tmp_path / "nowhere", port=1)
    assert missing.code == 1
    assert "TENANTRY_TOKEN" in missing.err


async def test_a_file_that_is_not_there_is_said(here: Service, tmp_path: Path) -> None:
    result = await here.run("ingest", str(tmp_path / "nowhere.ndjson"))
    assert result.code == 1
    assert "nowhere.ndjson" in result.err
    assert "Traceback" not in result.err


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


async def test_an_error_that_quotes_is_printed_harmlessly(here: Service) -> None:
    result = await here.run("search", "globex", f"no.such.field{HOSTILE}:x")
    assert result.code == 1
    assert harmless(result.err)


@pytest.mark.parametrize("tenant", ["nobody", "../globex", "globex?x=y", ""])
async def test_a_tenant_that_is_not_there_is_said(here: Service, tenant: str) -> None:
    result = await here.run("search", tenant)
    assert result.code == 1
    assert len(result.err.splitlines()) == 1


async def test_standard_input_is_ingested_and_a_tenant_is_put(here: Service) -> None:
    realm = "99999999-2222-3333-4444-555555555555"
    put = await here.run("tenants", "put", "acme", "--name", "Acme", "--source", f"keycloak:realm_id={realm},realm=acme", "--json")
    assert put.json["sources"] == [{"provider": "keycloak", "realm_id": realm, "realm": "acme"}]
    line = json.dumps({"id": "1", "time": 1_795_000_000_000, "type": "LOGIN", "realmId": realm}).encode()
    taken = await here.run("ingest", "--source", "keycloak", "--wait", "-", stdin=line)
    assert taken.out == "1 event: 1 indexed, 0 duplicate, 0 dead-lettered\n"
    assert [event["event.id"] for event in await here.exported("acme")] == ["1"]
    assert "acme: deleted" in await ran(here, "tenants", "delete", "acme", "--yes")
    assert (await here.get("/v1/tenants/acme")).status_code == 404


async def test_a_script_can_tell_that_an_event_became_a_dead_letter(here: Service) -> None:
    line = json.dumps({"id": "1", "time": 1_795_000_000_000, "type": "LOGIN", "realmId": "nobodys"}).encode()
    for extra, says in (([], "1 event: 0 indexed, 0 duplicate, 1 dead-lettered"), (["--json"], '"dead_letters"')):
        taken = await here.run("ingest", "--wait", "-", *extra, stdin=line)
        assert (taken.code, says in taken.out, taken.err) == (3, True, "")
    assert (await here.run("ingest", "-", stdin=line)).code == 0, "who does not wait does not know"


async def test_apply_names_the_file_that_is_refused(here: Service, tmp_path: Path) -> None:
    file = tmp_path / "initrode.yaml"
    file.write_text("{display_name: Initrode, sources: [{provider: keycloak, realm_id: null, realm: x}]}")
    refused = await here.run("apply", str(tmp_path))
    assert (refused.code, f"{file}: body.sources.0.realm_id" in refused.err) == (1, True)
    file.write_text("{display_name: Initrode}")
    assert (await ran(here, "apply", str(tmp_path), "--dry-run")).splitlines()[-1] == "1 file, 1 change to make"
    wrong = file.rename(tmp_path / "Foo_Bar.yaml")
    refused = await here.run("apply", str(tmp_path))
    assert (refused.code, str(wrong) in refused.err, len(refused.err.splitlines())) == (1, True, 1)


@pytest.mark.parametrize("what", [("--tenant", "globex"), ("--all",)])
async def test_an_index_is_not_built_anew_by_a_dry_run(here: Service, what: tuple[str, ...]) -> None:
    result = await here.run("replay", *what, "--dry-run")
    assert result.code == 1
    assert result.err.startswith("tenantry: --dry-run is for --dead-letters")


async def test_a_tenant_that_is_not_there_is_not_asked_about(here: Service) -> None:
    result = await here.run("tenants", "delete", "nobody")
    assert (result.code, result.out) == (1, "")
    assert "there is no tenant" in result.err


async def test_waiting_for_a_burst_of_one_tenant_waits_for_all_of_it(here: Service) -> None:
    """Its events are indexed apart, so that the others need not wait: the cursor passes before they can be found."""
    for tenant, realm in (("bursting", "b1"), ("beside", "b2")):
        await here.create(tenant, {"provider": "keycloak", "realm_id": realm})
    lines = [{"id": f"{n}", "time": 1_795_000_000_000 + n, "type": "LOGIN", "realmId": "b1" if n % 100 else "b2"} for n in range(15_000)]
    taken = await here.run("ingest", "--wait", "-", stdin="\n".join(map(json.dumps, lines)).encode())
    assert taken.out == "15000 events: 15000 indexed, 0 duplicate, 0 dead-lettered\n", taken.err
