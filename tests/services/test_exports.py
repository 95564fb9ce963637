"""Exports: NDJSON, CSV and Parquet of one moment, in constant memory, in which everything is text."""

from __future__ import annotations

import asyncio
import csv
import errno
import hashlib
import io
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pyarrow.parquet as pq
import pytest

from services.api.app import application
from services.cli import export as terminal
from services.cli.client import Body
from services.errors import Invalid
from services.events import export, parquet_file
from services.events.csv_file import CsvFile
from services.events.slots import Slots
from streams.errors import IndexUnavailable
from streams.event import iso
from streams.fields import FIELDS
from streams.search_index import Hit
from tests.platforms import Site, keycloak, recorded
from tests.processes import NDJSON, OWN, PATIENCE, Service, ndjson, service
from tests.served import served

HOSTILE = "=cmd|'/c calc'!A1\x1b[2J\u202eadmin\u202c \r\n\"quoted\", <script>alert(1)</script>\x9b31m\u200b"


@pytest.fixture
async def globex(here: Site) -> Site:
    await here.create("globex", keycloak("globex"))
    realm = keycloak("globex")["realm_id"]
    events = [event for event in recorded("events", "admin-events") if event["realmId"] == realm]
    await send(here, *events)
    return here


async def send(here: Site, *events: dict[str, Any], tenant: str = "globex") -> None:
    for start in range(0, len(events), 500):
        body = b"\n".join(json.dumps(event).encode() for event in events[start : start + 500])
        answer = await here.operator.post(f"/v1/tenants/{tenant}/events", content=body, headers=NDJSON)
        assert answer.status_code == 202, answer.text
    await here.settled()


async def exported(here: Site, format_: str = "ndjson", q: str = OWN) -> httpx.Response:
    answer = await here.operator.get("/v1/tenants/globex/events/export", params={"q": q, "format": format_})
    assert answer.status_code == 200, answer.text
    return answer


async def searched(here: Site, q: str = OWN) -> list[dict[str, Any]]:
    """All that a search finds, page by page, in the order of the log."""
    params: dict[str, Any] = {"q": q, "limit": 500, "sort": "oldest"}
    found: list[dict[str, Any]] = []
    while True:
        page = (await here.operator.get("/v1/tenants/globex/events", params=params)).json()
        found += page["events"]
        if page["next"] is None:
            return sorted(found, key=lambda event: str(event["log.position"]))
        params["after"] = page["next"]


def content_hash(events: Sequence[dict[str, Any]]) -> str:
    return hashlib.sha256(b"".join(json.dumps(event, sort_keys=True).encode() for event in events)).hexdigest()


def parquet_rows(content: bytes) -> list[dict[str, Any]]:
    """The events of a Parquet file, as the API has them."""
    events = []
    for row in pq.read_table(io.BytesIO(content)).to_pylist():
        event = {name: value for name, value in row.items() if value is not None}
        for name in ("@timestamp", "event.ingested"):
            event[name] = event[name].isoformat(timespec="milliseconds").replace("+00:00", "Z")
        events.append({**event, "idp": json.loads(event["idp"])})
    return events


def csv_rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


async def test_every_format_has_what_a_search_finds(globex: Site, tmp_path: Path) -> None:
    found = await searched(globex)
    assert len(found) > 1500
    lines = [json.loads(line) for line in (await exported(globex)).text.split("\n") if line]
    parquet = (await exported(globex, "parquet")).content
    assert content_hash(lines) == content_hash(parquet_rows(parquet)) == content_hash(found)
    file = tmp_path / "events.parquet"
    file.write_bytes(parquet)
    query = 'select "event.action", count(*), min("@timestamp") from read_parquet(?) group by 1'
    with duckdb.connect() as database:
        counted = {action: count for action, count, _ in database.execute(query, [str(file)]).fetchall()}
    assert counted == {action: sum(event["event.action"] == action for event in found) for action in counted}
    rows = csv_rows((await exported(globex, "csv")).content)
    assert [row["event.id"] for row in rows] == [event["event.id"] for event in found]
    assert list(rows[0]) == [field.name.removeprefix("@") for field in FIELDS]
    assert [json.loads(row["idp"]) for row in rows] == [event["idp"] for event in found]


async def test_an_export_is_of_one_moment(globex: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_PAGE", 100)
    tail = globex.platform.index.tail
    late = [{**recorded("events")[0], "realmId": keycloak("globex")["realm_id"], "id": f"late{number}"} for number in range(3)]

    async def slow(*args: Any, **kwargs: Any) -> Sequence[Hit]:
        hits = await tail(*args, **kwargs)
        if late:
            await send(globex, late.pop())
        return hits

    before = await searched(globex)
    monkeypatch.setattr(globex.platform.index, "tail", slow)
    answer = await exported(globex)
    lines = [json.loads(line) for line in answer.text.split("\n") if line]
    assert not late
    assert content_hash(lines) == content_hash(before)
    assert int(answer.headers["tenantry-events"]) == len(before)
    following = {"q": OWN, "after": answer.headers["tenantry-indexed-up-to"]}
    page = (await globex.operator.get("/v1/tenants/globex/events/tail", params=following)).json()
    assert sorted(event["event.id"] for event in page["events"]) == ["late0", "late1", "late2"], "a tail goes on where it ended"


async def test_an_index_that_is_busy_for_a_moment_breaks_no_export(globex: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_PAUSES", (0.0, 0.0))
    monkeypatch.setattr(export, "_PAGE", 100)
    tail, calls = globex.platform.index.tail, 0

    async def busy(*args: Any, **kwargs: Any) -> Sequence[Hit]:
        nonlocal calls
        calls += 1
        if calls % 3:
            raise IndexUnavailable("busy")
        return await tail(*args, **kwargs)

    monkeypatch.setattr(globex.platform.index, "tail", busy)
    lines = [json.loads(line) for line in (await exported(globex)).text.split("\n") if line]
    monkeypatch.undo()
    assert content_hash(lines) == content_hash(await searched(globex))


@pytest.mark.allow_hosts(["127.0.0.1"])
async def test_an_export_that_fails_never_looks_whole(globex: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_PAUSES", ())
    monkeypatch.setattr(export, "_PAGE", 100)
    tail, calls = globex.platform.index.tail, 0

    async def lost(*args: Any, **kwargs: Any) -> Sequence[Hit]:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise IndexUnavailable("lost")
        return await tail(*args, **kwargs)

    monkeypatch.setattr(globex.platform.index, "tail", lost)
    async with served(globex.platform) as url, httpx.AsyncClient(base_url=url, headers=globex.operator.headers) as client:
        for format_ in ("ndjson", "csv", "parquet"):
            calls = 0
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get("/v1/tenants/globex/events/export", params={"format": format_})
    assert globex.platform.exports.taken == 0


async def test_what_attackers_write_is_text_in_every_format(here: Site) -> None:
    await here.create("globex")
    event = {"uuid": HOSTILE, "published": "2026-11-23T10:00:00Z", "eventType": "x", "actor": {"alternateId": HOSTILE, "id": "@SUM(1)"}}
    body = json.dumps({**event, "displayMessage": HOSTILE, "debug": {HOSTILE: "\ud83d\ude00 é"}}).encode()
    path = "/v1/tenants/globex/events?source=okta"
    assert (await here.operator.post(path, content=body, headers=NDJSON)).json()["taken"] == 1
    await here.settled()
    [found] = await searched(here)
    assert found["user.name"] == HOSTILE
    content = (await exported(here, "csv")).content
    assert content.count(b"\r\n") == 2, "the names, and one line an event"
    text = content.decode("utf-8-sig")
    assert all(line.isprintable() for line in text.split("\r\n"))
    [row] = csv_rows(content)
    for name, value in row.items():
        assert not re.match(r"\s*[=+\-@]", value), name
    assert row["user.id"] == "'@SUM(1)"
    assert row["user.name"].startswith("'=cmd")
    assert json.loads(f'"{row["user.name"][1:].replace(chr(34), chr(92) + chr(34))}"') == HOSTILE, "nothing is lost"
    assert json.loads(row["idp"]) == found["idp"]
    assert parquet_rows((await exported(here, "parquet")).content) == [found]
    assert [json.loads(line) for line in (await exported(here)).content.split(b"\n") if line] == [found]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("  +1", "'  +1"),
        ("-2", "'-2"),
        ("@A1", "'@A1"),
        ("\uff1d1", "'\uff1d1"),
        ("\t=1", "\\t=1"),
        ("\r=1", "\\r=1"),
        ("\ufeff=1", "\\ufeff=1"),
        ("'=1", "''=1"),
        ("O'Brien", "O'Brien"),
        ("user-1@example.com", "user-1@example.com"),
        ("مستخدم", "مستخدم"),
    ],
)
def test_no_cell_is_a_formula(value: str, cell: str) -> None:
    document = json.dumps({"@timestamp": "2026-11-23T10:00:00.000Z", "user.name": value, "idp": {}}, ensure_ascii=False).encode()
    file = CsvFile()
    [row] = csv_rows(file.begin() + file.more([Hit(1, 1, document)]) + file.end())
    assert row["user.name"] == cell


async def test_the_answer_names_the_file(globex: Site) -> None:
    for format_, media_type in (("ndjson", "application/x-ndjson"), ("csv", "text/csv"), ("parquet", "application/vnd.apache.parquet")):
        answer = await exported(globex, format_, "event.id:nobody")
        assert answer.headers["content-type"].startswith(media_type)
        assert answer.headers["content-disposition"] == f'attachment; filename="globex-events.{format_}"'
        assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert pq.read_table(io.BytesIO(answer.content)).num_rows == 0
    wrong = await globex.operator.get("/v1/tenants/globex/events/export", params={"format": "xlsx"})
    assert wrong.status_code == 400
    assert "ndjson" in wrong.json()["detail"]


async def test_nobody_exports_anothers_events(globex: Site) -> None:
    await globex.create("acme")
    async with await globex.token("acme", "events:read") as theirs, await globex.token("globex", "keys:read") as keys:
        for client, expected in ((theirs, 404), (keys, 403), (globex.client(None), 401)):
            for format_ in ("ndjson", "csv", "parquet"):
                answer = await client.get("/v1/tenants/globex/events/export", params={"format": format_})
                assert answer.status_code == expected


async def test_each_tenant_has_so_many_exports(globex: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    slots = Slots("exports", per_tenant=1, in_all=1)
    object.__setattr__(globex.platform, "exports", slots)
    tail, begun, may_go_on = globex.platform.index.tail, asyncio.Event(), asyncio.Event()

    async def waiting(*args: Any, **kwargs: Any) -> Sequence[Hit]:
        begun.set()
        await may_go_on.wait()
        return await tail(*args, **kwargs)

    monkeypatch.setattr(globex.platform.index, "tail", waiting)
    first = asyncio.create_task(exported(globex))
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
    refused = await globex.operator.get("/v1/tenants/globex/events/export")
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (429, "too-many")
    assert refused.headers["retry-after"]
    may_go_on.set()
    await first
    assert slots.taken == 0
    assert (await exported(globex)).status_code == 200


async def test_an_export_ends_with_its_token(globex: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_PAGE", 100)
    tail = globex.platform.index.tail
    async with await globex.token("globex", "events:read") as reader:
        [token] = (await globex.operator.get("/v1/tenants/globex/tokens")).json()["tokens"]

        async def revoked(*args: Any, **kwargs: Any) -> Sequence[Hit]:
            await globex.operator.delete(f"/v1/tenants/globex/tokens/{token['id']}")
            return await tail(*args, **kwargs)

        monkeypatch.setattr(globex.platform.index, "tail", revoked)
        sent: list[Any] = []

        async def receive() -> Any:
            await asyncio.Event().wait()

        async def take(message: Any) -> None:
            sent.append(message)

        path = "/v1/tenants/globex/events/export"
        headers = [(b"authorization", reader.headers["Authorization"].encode())]
        common = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": "GET"}
        scope = {
            **common,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "scheme": "http",
        }
        await application(globex.platform)({**scope, "client": None}, receive, take)
    assert not any(message.get("body") for message in sent)
    assert sent[-1]["more_body"], "it never looks whole"


def test_a_parquet_file_has_row_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_file, "_GROUP_ROWS", 250)
    file = parquet_file.ParquetFile()
    parts = [file.begin()]
    for start in range(0, 1000, 100):
        hits = [
            Hit(number, number, json.dumps({"event.id": f"e{number}", "tags": ["a", "b"], "idp": {"n": number}}).encode())
            for number in range(start, start + 100)
        ]
        parts.append(file.more(hits))
    assert sum(bool(part) for part in parts[1:]) == 3, "written as it goes"
    parts.append(file.end())
    table = pq.ParquetFile(io.BytesIO(b"".join(parts)))
    assert table.num_row_groups == 4
    assert table.read().column("event.id").to_pylist() == [f"e{number}" for number in range(1000)]


def used_by(here: Service) -> int:
    """Bytes of memory that the service has in use, without the pages of files that it looks into: the system may take those away."""
    [kilobytes] = re.findall(r"^RssAnon:\s+(\d+) kB", Path(f"/proc/{here.pid}/status").read_text(), re.MULTILINE)
    return int(kilobytes) * 1024


@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize("count", [100_000, pytest.param(1_000_000, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
async def test_memory_stays_flat_however_long_an_export_is(tmp_path: Path, count: int) -> None:
    async with service(tmp_path / "data") as here:
        await here.create("acme", keycloak("globex"))
        realm = keycloak("globex")["realm_id"]
        events = (
            {"id": f"e{number}", "time": 1_795_000_000_000 + number, "type": "LOGIN", "realmId": realm, "details": {"note": "x" * 500}}
            for number in range(count)
        )
        file = ndjson(tmp_path / "events.ndjson", events)
        ran = await here.run("ingest", "--wait", str(file))
        assert ran.out.startswith(f"{count} events: {count} indexed"), ran.err
        headers = {"Authorization": f"Bearer {here.token}"}
        async with httpx.AsyncClient(base_url=here.url, headers=headers, timeout=PATIENCE) as client:

            async def most(**params: str) -> tuple[int, int]:
                """How many bytes an export has, and the most memory that is in use meanwhile."""
                taken = used = 0
                async with client.stream("GET", "/v1/tenants/acme/events/export", params={"q": OWN, **params}) as answer:
                    async for part in answer.aiter_raw():
                        taken += len(part)
                        used = max(used, used_by(here))
                return taken, used

            for format_, room in (("ndjson", 30_000_000), ("csv", 30_000_000), ("parquet", 120_000_000)):
                # A tenth of it takes what every export takes: libraries, threads, buffers.
                _, before = await most(format=format_, until=iso(1_795_000_000_000 + count // 10))
                taken, used = await most(format=format_)
                assert taken > 10 * count
                assert used - before < room, f"{format_}: {(used - before) / 1e6:.0f} MB more for {taken / 1e6:.0f} MB"


def saved(output: Path, parts: Iterator[bytes], *, replace: bool = True) -> dict[str, Any]:
    """What the terminal tells of an export that it has written."""
    return terminal._save(Body({}, parts), terminal.Format.NDJSON, output, replace=replace)


def test_two_exports_to_one_file_at_once_do_not_mix(tmp_path: Path) -> None:
    output = tmp_path / "events.ndjson"

    def slow() -> Iterator[bytes]:
        yield b"1\n"
        saved(output, iter([b"of another one\n"]))
        assert output.read_bytes() == b"of another one\n"
        yield b"2\n"

    told = saved(output, slow())
    assert output.read_bytes() == b"1\n2\n"
    assert told["sha256"] == hashlib.sha256(b"1\n2\n").hexdigest()
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    output = tmp_path / "events.ndjson"

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")  # as on a FAT file system

    if not links:
        monkeypatch.setattr(os, "link", refuse)

    def slow() -> Iterator[bytes]:
        yield b"1\n"
        output.write_bytes(b"theirs\n")
        yield b"2\n"

    with pytest.raises(Invalid, match="is there already; give another name, or --replace"):
        saved(output, slow(), replace=False)
    assert output.read_bytes() == b"theirs\n"
    assert list(tmp_path.iterdir()) == [output]
    output.unlink()
    saved(output, iter([b"1\n"]), replace=False)
    assert (output.read_bytes(), list(tmp_path.iterdir())) == (b"1\n", [output])


def test_an_export_is_written_to_a_new_file_for_its_owner_alone(tmp_path: Path) -> None:
    output, theirs = tmp_path / "events.ndjson", tmp_path / "theirs"
    theirs.write_bytes(b"theirs")
    theirs.chmod(0o644)
    for name in ("events.ndjson.part", ".events.ndjson.part"):
        (tmp_path / name).symlink_to(theirs)
    before = set(tmp_path.iterdir())

    def watched() -> Iterator[bytes]:
        [unfinished] = set(tmp_path.iterdir()) - before
        assert unfinished.stat().st_mode & 0o777 == 0o600
        yield b"1\n"

    saved(output, watched())
    assert (output.is_symlink(), output.stat().st_mode & 0o777) == (False, 0o600)
    assert theirs.read_bytes() == b"theirs"


def test_an_export_that_can_not_be_finished_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"1\n"
        raise OSError(28, "No space left on device")

    with pytest.raises(Invalid, match="No space left"):
        saved(tmp_path / "events.ndjson", broken())
    assert not list(tmp_path.iterdir())
    with pytest.raises(Invalid, match="No such file or directory"):
        saved(tmp_path / "nowhere" / "events.ndjson", iter([]))
