"""Searches in one tenant with a million events, against bare tantivy queries on the same index.

Tenantry parses the query, searches, sorts by time and position, and answers documents, through the use case that the API calls; the
peer counts a term's documents and collects the top hundred by time, without their documents.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import tantivy

from benchmarks.corpus import OPERATOR, lines
from services.bootstrap import start
from services.events.file_ingest import append_lines, wait
from services.events.search import Question, Search
from services.sample.load import REALMS, create_tenants
from services.settings import Settings
from streams.index_tantivy.opened import SCHEMA
from streams.index_tantivy.schema import TIME
from streams.scope import TenantScope

_EVENTS = 1_000_000
_TIMES = 200
QUERIES = (
    "",
    "event.action:login_error",
    "event.outcome:failure",
    "source.ip:203.0.113.0/24",
    "user.name:user00*",
    "invalid_user_credentials",
    "idp.details.auth_method:openid-connect",
    "event.outcome:failure AND NOT client.id:web-app",
)


def run(events: int | None, runs: int) -> dict[str, Any]:
    """The figures, in milliseconds."""
    count = events or _EVENTS
    with tempfile.TemporaryDirectory() as directory:
        return asyncio.run(_run(Path(directory), count, runs))


async def _run(directory: Path, count: int, runs: int) -> dict[str, Any]:
    scope, realm = TenantScope(REALMS[0]["name"]), REALMS[0]["id"]
    async with start(Settings(data=directory)) as platform:
        await create_tenants(platform, OPERATOR)
        appended = await append_lines(platform.log, lines(count, realm=realm), source="keycloak", tenant=None, progress=lambda _: None)
        await wait(platform.log, appended, lambda _done, _all: None)
        dice = random.Random(1)
        search, now = platform.search, platform.now()

        def asked() -> Question:
            return Question(dice.choice(QUERIES))

        found: dict[str, list[float]] = {name: [] for name in ("search", "count", "histogram", "top_values", "peer")}
        bare = _bare(directory, scope)
        for _ in range(runs):
            found["search"] += await _timed(lambda: search.page(scope, asked(), now=now, sort="newest", limit=100, after=None))
            found["peer"] += [_peer_search(bare) for _ in range(_TIMES)]
            found["count"] += await _timed(lambda: search.count(scope, asked(), now=now))
            found["histogram"] += await _timed(lambda: search.histogram(scope, asked(), now=now, interval="1h"))
            found["top_values"] += await _timed(lambda: _top(search, scope, asked(), now))
        p95 = {name: statistics.quantiles(times, n=20)[-1] for name, times in found.items()}
        return {
            "events": count,
            "runs": runs,
            **{f"{name}_p95_ms": p95[name] for name in ("search", "count", "histogram", "top_values")},
            "peer": "bare tantivy: a term's top hundred by time, without documents",
            "peer_p95_ms": p95["peer"],
            "ratio": p95["peer"] / p95["search"],
        }


async def _top(search: Search, scope: TenantScope, question: Question, now: int) -> object:
    return await search.top_values(scope, question, now=now, by=("user.name",), size=10)


async def _timed(ask: Callable[[], Awaitable[object]]) -> list[float]:
    times = []
    for _ in range(_TIMES):
        begun = time.perf_counter()
        await ask()
        times.append((time.perf_counter() - begun) * 1000)
    return times


def _bare(directory: Path, scope: TenantScope) -> tantivy.Searcher:
    [generation] = [path.parent for path in (directory / "index" / scope.tenant).rglob("meta.json")]
    index = tantivy.Index(SCHEMA, str(generation))
    index.reload()
    return index.searcher()


def _peer_search(searcher: tantivy.Searcher) -> float:
    begun = time.perf_counter()
    searcher.search(tantivy.Query.term_query(SCHEMA, "event.action", "login_error"), 100, order_by_field=TIME)
    return (time.perf_counter() - begun) * 1000
