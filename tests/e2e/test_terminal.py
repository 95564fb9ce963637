"""The terminal: what an analyst sees and pipes, a tail that survives the service, completion, and examples that work."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import pty
import re
import shlex
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from typer.main import get_command

from services.cli import app
from tests.daemon import PATIENCE, ROOT
from tests.processes import NDJSON, OWN, Service, argv, environment, service, spawned

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.asyncio(loop_scope="module")]
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    async with service(tmp_path_factory.mktemp("terminal") / "data") as running:
        await running.create("acme")
        yield running


async def send(here: Service, *identifiers: str, **more: Any) -> None:
    events = [{"uuid": one, "published": "2026-11-23T10:00:00Z", "eventType": "user.session.start", **more} for one in identifiers]
    body = "\n".join(json.dumps(event) for event in events).encode()
    answer = await here.ask("POST", "/v1/tenants/acme/events?source=okta", content=body, headers=NDJSON)
    assert answer.status_code == 202, answer.text


def at_a_terminal(here: Service, *arguments: str) -> str:
    """What a command writes to a terminal, as it comes there."""
    settings = {**environment(here.data, port=here.port), "TERM": "xterm-256color", "COLUMNS": "160"}
    settings.pop("NO_COLOR", None)
    ours, theirs = pty.openpty()
    with subprocess.Popen(argv(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, env=settings, cwd=ROOT) as process:
        os.close(theirs)
        written = b""
        with suppress(OSError):  # the end of a terminal
            while part := os.read(ours, 65_536):
                written += part
        os.close(ours)
    assert process.returncode == 0, written.decode()
    return written.decode()


async def test_a_terminal_gets_colours_and_a_pipe_gets_none(here: Service) -> None:
    await send(here, "colour", outcome={"result": "FAILURE", "reason": "x"})
    await here.settled()
    for command in (["search", "acme", "event.id:colour"], ["tail", "acme", "event.id:colour"], ["keys", "list", "acme"]):
        shown = await asyncio.to_thread(at_a_terminal, here, *command)
        assert "\x1b[" in shown, command
        piped = (await here.run(*command)).out
        assert "\x1b" not in piped
        assert set(piped.split()) <= set(ESCAPES.sub("", shown).split()), "the same words"


async def test_what_an_event_says_is_no_command_to_the_terminal(here: Service) -> None:
    hostile = "\x1b]0;owned\x07\x9b31m\u202eadmin\u2028\x1b[2J"
    await send(here, "hostile", actor={"alternateId": hostile}, displayMessage=hostile)
    await here.settled()
    for extra in ([], ["--json"]):
        for command in ("search", "tail"):
            shown = await asyncio.to_thread(
                at_a_terminal, here, command, "acme", "event.id:hostile", *extra, "--columns", "user.name,message"
            )
            assert "admin" in shown
            left = ESCAPES.sub("", shown) if not extra else shown
            assert all(line.isprintable() for line in re.split(r"\r?\n", left)), (command, extra)
            assert "\x1b[2J" not in shown
            assert "\x1b]" not in shown
    [line] = (await here.run("search", "acme", "event.id:hostile", "--json")).out.splitlines()
    assert json.loads(line)["user.name"] == hostile, "the same JSON for a program"


async def test_columns_are_chosen(here: Service) -> None:
    await send(here, "columns", client={"zone": "roof"})
    await here.settled()
    shown = await here.run("search", "acme", "event.id:columns", "--columns", "event.id, idp.client.zone,user.id")
    assert [line.split() for line in shown.out.splitlines()] == [["event.id", "idp.client.zone", "user.id"], ["columns", "roof"]]
    refused = await here.run("search", "acme", "", "--columns", "user.nam")
    assert refused.code == 1
    assert "user.name" in refused.err


async def test_json_of_a_search_is_one_event_a_line(here: Service) -> None:
    await send(here, "line1", "line2")
    await here.settled()
    lines = (await here.run("search", "acme", "event.id:line1 OR event.id:line2", "--json")).out.splitlines()
    assert {json.loads(line)["event.id"] for line in lines} == {"line1", "line2"}


async def test_a_tail_survives_the_service(tmp_path: Path) -> None:
    """The service is killed and started again on the same port, twice, while events come in: each is printed once, in order."""
    async with service(tmp_path / "data") as here:
        await here.create("acme")
        await send(here, "e0")
        await here.settled()
        port = here.port
        command = argv("tail", "-f", "acme", OWN, "--json")
        async with spawned(command, environment(here.data, port=port)) as tailing:
            assert tailing.stdout is not None
            assert tailing.stderr is not None
            seen = [await printed(tailing.stdout)]
            for round_ in range(2):
                await send(here, f"before{round_}")
                seen.append(await printed(tailing.stdout))
                await here.kill()
                async with asyncio.timeout(PATIENCE):
                    while b"going on where it was" not in (line := await tailing.stderr.readline()):
                        assert line, "the tail has ended"
                here._settings["port"] = port
                await here.start()
                await send(here, f"after{round_}")
                seen.append(await printed(tailing.stdout))
        assert seen == ["e0", "before0", "after0", "before1", "after1"]


async def printed(lines: asyncio.StreamReader) -> str:
    """The id of the next event that a tail prints."""
    async with asyncio.timeout(PATIENCE):
        found: str = json.loads(await lines.readline())["event.id"]
        return found


async def test_a_tail_ends_with_its_token(here: Service) -> None:
    body = {"name": "short", "scopes": ["events:read"]}
    minted = (await here.post("/v1/tenants/acme/tokens", body)).json()
    command = argv("tail", "-f", "acme", "event.id:end", "--json")
    async with spawned(command, environment(here.data, port=here.port, token=minted["token"])) as tailing:
        assert tailing.stdout is not None
        await send(here, "end")
        assert await printed(tailing.stdout) == "end"
        await here.ask("DELETE", f"/v1/tenants/acme/tokens/{minted['id']}")
        async with asyncio.timeout(PATIENCE):
            _, told = await tailing.communicate()
    assert tailing.returncode == 1
    assert b"expired or was revoked" in told
    assert len(told.splitlines()) == 1


async def test_the_shell_completes_tenants_and_columns(here: Service) -> None:
    async def completed(*words: str) -> list[str]:
        line = shlex.join(["tenantry", *words[:-1]]) + " " + words[-1]
        settings = {**environment(here.data, port=here.port), "_TENANTRY_COMPLETE": "complete_bash", "COMP_WORDS": line}
        settings["COMP_CWORD"] = str(len(words))
        async with spawned(argv(), settings) as shell:
            out, _ = await shell.communicate()
        return out.decode().split()

    await here.create("acorn")
    assert await completed("search", "ac") == ["acme", "acorn"]
    assert await completed("keys", "list", "acm") == ["acme"]
    assert "tail" in await completed("ta")
    assert await completed("search", "acme", "x", "--columns", "user.") == ["user.id", "user.name"]


def examples(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Every example of every command's help."""
    command = command or get_command(app)
    yield from (line.strip() for line in (command.epilog or "").splitlines() if line.strip().startswith("tenantry "))
    for name, part in getattr(command, "commands", {}).items():
        yield from examples(part, (*path, name))


@pytest.mark.parametrize("example", list(examples()))
async def test_every_example_of_the_help_is_a_command(example: str) -> None:
    words = shlex.split(example.partition(" | ")[0].partition(" > ")[0])[1:]
    command: Any = get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    with command.make_context(command.name, words) as context:  # which refuses what the command does not take
        assert context.params


async def test_examples_stay_on_lines_of_their_own(here: Service) -> None:
    shown = (await here.run("search", "--help")).out
    assert "Examples:\n" in shown
    assert any(line.strip().startswith("tenantry search globex") for line in shown.splitlines())


def names(directory: Path) -> list[str]:
    """Of the files there."""
    return sorted(path.name for path in directory.iterdir())


async def test_an_export_becomes_a_file_when_it_is_whole(here: Service, tmp_path: Path) -> None:
    await send(here, "x1", "x2", actor={"alternateId": "=1+1"})
    await here.settled()
    q = "event.id:x1 OR event.id:x2"
    for name, beginning in (("a.ndjson", b"{"), ("a.csv", b'\xef\xbb\xbf"timestamp"'), ("a.parquet", b"PAR1"), ("plain", b"{")):
        file = tmp_path / name
        told = (await here.run("export", "acme", q, "--output", str(file), "--json")).json
        content = file.read_bytes()
        assert content.startswith(beginning)
        assert (told["bytes"], told["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        assert told["events"] == 2
        assert file.stat().st_mode & 0o777 == 0o600, "it has other people's names in it"
    assert names(tmp_path) == ["a.csv", "a.ndjson", "a.parquet", "plain"]
    refused = await here.run("export", "acme", "--output", str(tmp_path / "a.csv"))
    assert (refused.code, "--replace" in refused.err) == (1, True)
    assert "2 events" in (await here.run("export", "acme", q, "--output", str(tmp_path / "a.csv"), "--replace")).out
    for name, says in (("a.xlsx", "no format is called 'xlsx'"), ("a.csv.gz", ".ndjson, .csv, .parquet")):
        unknown = await here.run("export", "acme", q, "--output", str(tmp_path / name))
        assert (unknown.code, says in unknown.err, (tmp_path / name).exists()) == (1, True, False)
    chosen = await here.run("export", "acme", q, "--output", str(tmp_path / "a.xlsx"), "--format", "csv")
    assert chosen.out.startswith(f"{tmp_path}/a.xlsx: 2 events, ")
    assert "1 event, " in (await here.run("export", "acme", "event.id:x1", "-o", str(tmp_path / "one.parquet"))).out
    wrong = await here.run("export", "acme", "user.nam:x", "--output", str(tmp_path / "b.csv"))
    assert (wrong.code, (tmp_path / "b.csv").exists()) == (1, False)


async def test_an_export_to_a_terminal_is_shown_and_not_obeyed(here: Service) -> None:
    await send(here, "shown", actor={"alternateId": "\x1b]0;owned\x07\x9b31m\u202eadmin"})
    await here.settled()
    for format_ in ("ndjson", "csv"):
        shown = await asyncio.to_thread(at_a_terminal, here, "export", "acme", "event.id:shown", "--format", format_)
        assert "admin" in shown
        assert all(line.isprintable() for line in re.split(r"\r?\n", shown))


async def test_an_export_shows_how_far_it_has_come_where_somebody_sees_it(here: Service, tmp_path: Path) -> None:
    asked = ["export", "acme", "--output", str(tmp_path / "events.csv")]
    assert "exporting" in await asyncio.to_thread(at_a_terminal, here, *asked)
    piped = await here.run(*asked, "--replace")
    assert piped.err == ""
