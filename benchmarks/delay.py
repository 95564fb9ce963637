"""From Kafka to searchable: how long an event takes at a steady rate that leaves the machine air, seen by somebody who searches.

The peer is OpenSearch's own promise: with its refresh interval of a second, half of what is written at any time is found after half a
second, and all of it after one.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from benchmarks.pipeline import cpu, tenantry
from benchmarks.pipeline.events import Made, made
from benchmarks.pipeline.ground import Ground, ground
from benchmarks.pipeline.race import lap

_EVENTS: Final = 120_000
_PER_SECOND: Final = 2000
_WARM_UP: Final = 150_000
"""Events as fast as they go before: the engines' code is compiled while it runs, which takes both cores for a minute."""
_WARM_UP_SECONDS: Final = 240
"""And then at the rate at which it is measured: in the first minutes of it, there is much that no event at full speed came by."""
_MAKING_SECONDS: Final = 45
_MINUTE_MS: Final = 60_000
_TICK_SECONDS: Final = 0.005
_LAST_SECONDS: Final = 60
_SLICE_MS: Final = 20
_POLL_SECONDS: Final = 0.1


def run(events: int | None, runs: int, *, tenants: int = 12, workers: int = 1) -> dict[str, Any]:  # noqa: ARG001 -- one steady run
    """The figures, in milliseconds."""
    count = events or _EVENTS
    with ground(tenants) as arena:
        _warm_up(arena)
        directory = arena.directory / "tenantry"
        with tenantry.running(directory, arena.environment, workers) as pids:
            tenantry.wait_until_ready(directory, workers)
            spent = cpu.seconds(pids)
            minutes = asyncio.run(_measure(arena, count))
            spent = cpu.seconds(pids) - spent
    number = _WARM_UP_SECONDS * _PER_SECOND + count
    assert (found := sum(delays.total() for delays in minutes.values())) == number, f"{number - found} of {number} events were not found"
    delays = sum((found for minute, found in minutes.items() if minute * _MINUTE_MS >= _WARM_UP_SECONDS * 1000), Counter[int]())
    return {
        "tenants": tenants,
        "events": count,
        "events_per_second": _PER_SECOND,
        "workers": workers,
        "p50_ms": quantile(delays, 0.5),
        "p95_ms": quantile(delays, 0.95),
        "p99_ms": quantile(delays, 0.99),
        "max_ms": max(delays),
        "p99_ms_by_minute": [quantile(minutes[minute], 0.99) for minute in sorted(minutes)],
        "cpu_us_per_event": spent / (count + _WARM_UP_SECONDS * _PER_SECOND) * 1e6,
    }


def quantile(counts: Mapping[int, int], share: float) -> int:
    """The least value that at least this share of the counted ones does not exceed."""
    rest = share * sum(counts.values())
    for value in sorted(counts):
        rest -= counts[value]
        if rest <= 0:
            return value
    raise ValueError("nothing was counted")


def _warm_up(arena: Ground) -> None:
    arena.topic.append(event.value for event in made(_WARM_UP, arena.realms, seed=arena.seed, run=1))
    own = 2 * len(arena.realms)  # what Tenantry itself has written of its tenants
    lap(arena.indexes, own + _WARM_UP, tenantry.running(arena.directory / "warm-up", arena.environment, 1), arena.engines)


async def _measure(arena: Ground, count: int) -> Mapping[int, Counter[int]]:
    """The delays of all events, by the minute in which they were sent, from the first of the warm-up on."""
    # A slice's events are those with its `@timestamp`s, which is when they were handed to Kafka's client.
    start = (time.time_ns() // 1_000_000 // _SLICE_MS + 1) * _SLICE_MS + _MAKING_SECONDS * 1000
    number = _WARM_UP_SECONDS * _PER_SECOND + count
    events = list(made(number, arena.realms, seed=arena.seed, clock=lambda number: start + number * 1000 // _PER_SECOND))
    assert time.time_ns() // 1_000_000 < start, "the events were not made in time; raise _MAKING_SECONDS"
    producer = asyncio.create_task(_produce(arena, start, events))
    minutes: dict[int, Counter[int]] = defaultdict(Counter)
    seen: Counter[int] = Counter()
    missing = Counter((start + one * 1000 // _PER_SECOND) // _SLICE_MS * _SLICE_MS for one in range(number))
    deadline: float | None = None
    while missing and (deadline is None or time.monotonic() < deadline):
        if producer.done() and deadline is None:
            producer.result()
            deadline = time.monotonic() + _LAST_SECONDS
        found = await asyncio.to_thread(_slices, arena, min(missing))
        now = time.time_ns() // 1_000_000
        for moment, there in found.items():
            if (new := there - seen[moment]) > 0 and moment in missing:
                minutes[(moment - start) // _MINUTE_MS][now - moment] += new
                seen[moment] = there
                missing[moment] -= new
                if missing[moment] <= 0:
                    del missing[moment]
        await asyncio.sleep(_POLL_SECONDS)
    await producer
    return minutes


async def _produce(arena: Ground, start: int, events: Sequence[Made]) -> None:
    """Sends each event at its time, some milliseconds later at most, one record each, as an identity provider's listener does."""
    async with AIOKafkaProducer(bootstrap_servers=arena.topic.bootstrap, acks="all") as producer:
        for number, event in enumerate(events):
            while start / 1000 + number / _PER_SECOND > time.time():  # noqa: ASYNC110 -- its time is what it waits for
                await asyncio.sleep(_TICK_SECONDS)
            await producer.send(arena.topic.name, event.value)
        await producer.flush()


def _slices(arena: Ground, first: int) -> Mapping[int, int]:
    """How many events can be found of each slice of time from `first` on, by its beginning in epoch milliseconds.

    Whoever looks takes from what is looked at: on two cores a search over a minute's events, twenty times a second, took a third of both.
    """
    histogram = {"date_histogram": {"field": "@timestamp", "fixed_interval": f"{_SLICE_MS}ms", "min_doc_count": 1}}
    question = {
        "query": {"range": {"@timestamp": {"gte": first, "format": "epoch_millis"}}},
        "aggs": {"slices": histogram},
    }
    answer = arena.indexes.ask("POST", f"/{arena.indexes.alias('*')}/_search?size=0&filter_path=aggregations", question)
    return {int(bucket["key"]): int(bucket["doc_count"]) for bucket in answer["aggregations"]["slices"]["buckets"]}
