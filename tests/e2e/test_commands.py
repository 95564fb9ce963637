"""The command line, as people and scripts call it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from services.cli import app
from tests.e2e.commands import ran
from tests.engines import embedded
from tests.platforms import REALM_IDS
from tests.processes import OWN, Service, tenantry

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="module")]


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
