"""NDJSON, CSV and Parquet: everything in them is text, and memory stays flat however much of it there is."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pyarrow.parquet as pq
import pytest

from services.events import parquet_file
from services.events.csv_file import CsvFile
from streams.event import iso
from streams.search_index import Hit
from tests.daemon import PATIENCE
from tests.platforms import Site, keycloak
from tests.processes import NDJSON, OWN, Service, ndjson, service
from tests.services.exporting import (
    csv_rows,
    exported,
    hash_without_order,
    ndjson_events,
    pages,
    parquet_events,
    parquet_rows,
    searched,
)

HOSTILE = "=cmd|'/c calc'!A1\x1b[2J\u202eadmin\u202c \r\n\"quoted\", <script>alert(1)</script>\x9b31m\u200b"


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


def in_order_of_the_log(events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The events, which have ascending positions."""
    before = ""
    for event in events:
        assert before < event["log.position"]
        before = event["log.position"]
        yield event


@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize("count", [100_000, pytest.param(1_000_000, marks=[pytest.mark.long, pytest.mark.timeout(3600)])])
async def test_a_long_export_is_what_a_search_finds_and_takes_no_more_memory(tmp_path: Path, count: int) -> None:
    async with service(tmp_path / "data") as here:
        await here.create("acme", keycloak("globex"))
        realm = keycloak("globex")["realm_id"]
        events = (
            {"id": f"e{number}", "time": 1_795_000_000_000 + number, "type": "LOGIN", "realmId": realm, "details": {"note": "x" * 500}}
            for number in range(count)
        )
        file = ndjson(tmp_path / "events.ndjson", events)
        ran = await here.run("ingest", "--wait", str(file), patience=max(PATIENCE, count / 1000))
        assert ran.out.startswith(f"{count} events: {count} indexed"), ran.err
        headers = {"Authorization": f"Bearer {here.token}"}
        async with httpx.AsyncClient(base_url=here.url, headers=headers, timeout=PATIENCE) as client:

            async def most(file: Path, **params: str) -> int:
                """The most memory that is in use while an export is written to the file."""
                used = 0
                async with client.stream("GET", "/v1/tenants/acme/events/export", params={"q": OWN, **params}) as answer:
                    with file.open("wb") as written:
                        async for part in answer.aiter_raw():
                            written.write(part)
                            used = max(used, used_by(here))
                return used

            for format_, room in (("ndjson", 30_000_000), ("csv", 30_000_000), ("parquet", 120_000_000)):
                # A tenth of it takes what every export takes: libraries, threads, buffers.
                whole = tmp_path / f"all.{format_}"
                before = await most(tmp_path / f"tenth.{format_}", format=format_, until=iso(1_795_000_000_000 + count // 10))
                used = await most(whole, format=format_)
                assert used - before < room, f"{format_}: {(used - before) / 1e6:.0f} MB more for {whole.stat().st_size / 1e6:.0f} MB"

            found, ids = 0, (f"e{number}" for number in range(count))
            async for page in pages(client, "acme"):
                assert [event["event.id"] for event in page] == list(islice(ids, len(page)))
                found += hash_without_order(page)
        assert next(ids, None) is None, "all were found"
    assert hash_without_order(ndjson_events(tmp_path / "all.ndjson")) == found
    assert hash_without_order(parquet_events(tmp_path / "all.parquet")) == found
    # A search is in the order of time, an export in that of the log, which Kafka's partitions make another one.
    order = [event["event.id"] for event in in_order_of_the_log(ndjson_events(tmp_path / "all.ndjson"))]
    with (tmp_path / "all.csv").open(encoding="utf-8-sig", newline="") as lines:
        assert all(row["event.id"] == event_id for event_id, row in zip(order, csv.DictReader(lines), strict=True))
    with duckdb.connect() as database:
        query = 'select count(*), count(distinct "event.id"), epoch_ms(min("@timestamp")), epoch_ms(max("@timestamp")) from read_parquet(?)'
        counted = database.execute(query, [str(tmp_path / "all.parquet")]).fetchone()
    assert counted == (count, count, 1_795_000_000_000, 1_795_000_000_000 + count - 1)
