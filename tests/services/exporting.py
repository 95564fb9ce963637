"""Events to export, and how the tests read the files that come."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq

from tests.platforms import Site
from tests.processes import NDJSON, OWN


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


async def pages(client: httpx.AsyncClient, tenant: str, q: str = OWN, limit: int = 1000) -> AsyncIterator[list[dict[str, Any]]]:
    """All that a search finds, page by page, the oldest first."""
    params: dict[str, Any] = {"q": q, "limit": limit, "sort": "oldest"}
    while True:
        answer = await client.get(f"/v1/tenants/{tenant}/events", params=params)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        yield page["events"]
        if page["next"] is None:
            return
        params["after"] = page["next"]


async def searched(here: Site, q: str = OWN) -> list[dict[str, Any]]:
    """All that a search finds, in the order of the log."""
    found = [event async for page in pages(here.operator, "globex", q, 500) for event in page]
    return sorted(found, key=lambda event: str(event["log.position"]))


def canonical(event: dict[str, Any]) -> bytes:
    """The event as bytes, however its names are ordered."""
    return json.dumps(event, sort_keys=True).encode()


def content_hash(events: Iterable[dict[str, Any]]) -> str:
    """The same for the same events in the same order; one of them at a time is in memory."""
    found = hashlib.sha256()
    for event in events:
        found.update(canonical(event))
    return found.hexdigest()


def hash_without_order(events: Iterable[dict[str, Any]]) -> int:
    """The same for the same events, whatever their order."""
    return sum(int.from_bytes(hashlib.sha256(canonical(event)).digest()) for event in events)


def ndjson_events(file: Path) -> Iterator[dict[str, Any]]:
    """The events of an NDJSON file, one at a time."""
    with file.open("rb") as lines:
        yield from map(json.loads, lines)


def parquet_events(file: Path | io.BytesIO) -> Iterator[dict[str, Any]]:
    """The events of a Parquet file, as the API has them; a batch at a time."""
    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(10_000):
            columns = batch.to_pydict()
            for row in zip(*columns.values(), strict=True):
                event = {name: value for name, value in zip(columns, row, strict=True) if value is not None}
                for name in ("@timestamp", "event.ingested"):
                    event[name] = event[name].isoformat(timespec="milliseconds").replace("+00:00", "Z")
                yield {**event, "idp": json.loads(event["idp"])}


def parquet_rows(content: bytes) -> list[dict[str, Any]]:
    """The events of a Parquet file that is in memory."""
    return list(parquet_events(io.BytesIO(content)))


def csv_rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
