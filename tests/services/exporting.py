"""Events to export, and how the tests read the files that come."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Sequence
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
