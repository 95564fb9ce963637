"""Exports: of one moment, whole or not at all, of one's own events."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pyarrow.parquet as pq
import pytest

from services.api.app import application
from services.events import export
from services.events.slots import Slots
from streams.errors import IndexUnavailable
from streams.fields import FIELDS
from streams.search_index import Hit
from tests.daemon import PATIENCE
from tests.platforms import Site, keycloak, recorded
from tests.processes import OWN
from tests.served import served
from tests.services.exporting import content_hash, csv_rows, exported, parquet_rows, searched, send


@pytest.fixture
async def globex(here: Site) -> Site:
    await here.create("globex", keycloak("globex"))
    realm = keycloak("globex")["realm_id"]
    events = [event for event in recorded("events", "admin-events") if event["realmId"] == realm]
    await send(here, *events)
    return here


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
        headers = [(b"host", b"test"), (b"authorization", reader.headers["Authorization"].encode())]
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
