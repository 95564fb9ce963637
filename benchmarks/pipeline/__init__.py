"""From Kafka into each tenant's index, against rsyslog on the same topic and the same OpenSearch, and against OpenSearch's own ceiling.

Everything speaks TLS to OpenSearch, as one user; Kafka is plain. All write into the same indexes, through the same aliases. The events of
a run are in the topic before a pipeline starts, so it runs as fast as it can; the clock runs from the first document to the last.
"""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from benchmarks.pipeline import ceiling, rsyslog, tenantry
from benchmarks.pipeline.events import Made, made
from benchmarks.pipeline.ground import Ground, ground
from benchmarks.pipeline.race import Lap, check, lap

_EVENTS: Final = 200_000
_WARM_UP: Final = 40_000
_SEPARATE: Final = 50
_FEW: Final = 12

_Pipeline = Callable[[], AbstractContextManager[Sequence[int]]]


def run(events: int | None, runs: int, *, tenants: int = _FEW, workers: int = 1, skew: float = 0.0, pooled: bool = False) -> dict[str, Any]:
    """The figures.

    Args:
        events: of a lap.
        runs: interleaved, of which the median counts.
        tenants: how many.
        workers: Tenantry's processes.
        skew: how unequal the tenants are, see `events.made`.
        pooled: all tenants but fifty share indexes; then the peer is Tenantry itself with the events of twelve tenants that do not.
    """
    if not pooled:
        rsyslog.check()
    with ground(tenants, pooled_from=_SEPARATE if pooled else None) as arena:
        race = _Race(arena, workers, skew)
        race.settle()
        count = events or _EVENTS
        contest = race.pooled if pooled else race.separate
        contest(min(count, _WARM_UP))  # the engine's code is compiled while it runs
        laps = [contest(count) for _ in range(runs)]
        stages = race.stages(min(count, _EVENTS))
        return {
            "tenants": tenants,
            "events": count,
            "runs": runs,
            "workers": workers,
            "skew": skew,
            **race.facts,
            **_figures(laps),
            **stages,
        }


class _Race:
    """Laps on one ground, each with events of its own."""

    def __init__(self, arena: Ground, workers: int, skew: float) -> None:
        self._ground = arena
        self._workers = workers
        self._skew = skew
        self._run = 0
        self.facts: dict[str, Any] = {}

    def settle(self) -> None:
        """Returns when the tenants have what Tenantry itself writes into their logs: that they and their sources were made."""
        lap(self._ground.indexes, 2 * len(self._ground.realms), self._tenantry(), self._ground.engines)

    def separate(self, count: int) -> dict[str, Lap]:
        """A lap of each, on the same events."""
        arena, group = self._ground, f"rsyslog-{self._run}"
        arena.topic.skip(group)
        events = self._produce(count, len(arena.realms))
        directory = arena.directory / f"rsyslog-{self._run}"
        requests = ceiling.bodies(events, arena.realms, arena.indexes)
        return {
            "peer": self._lap(
                events, lambda: rsyslog.running(directory, arena.topic, group, arena.indexes, "rsyslog-")
            ),
            "tenantry": self._lap(events, self._tenantry),
            "ceiling": self._lap(events, lambda: ceiling.sending(arena.indexes, requests)),
        }  # fmt: skip

    def pooled(self, count: int) -> dict[str, Lap]:
        """A lap with the events of twelve tenants that have their own indexes, and one with all tenants'."""
        few = self._lap(self._produce(count, _FEW), self._tenantry)
        return {"peer": few, "tenantry": self._lap(self._produce(count, len(self._ground.realms)), self._tenantry)}

    def stages(self, count: int) -> dict[str, Any]:
        """Where Tenantry's CPU time goes, in a lap of its own: sampling costs a little."""
        took = self._lap(self._produce(count, len(self._ground.realms)), lambda: self._tenantry(sampled=True))
        found: Counter[str] = Counter()
        for path in self._ground.directory.glob(f"tenantry-{self._run}/samples-*.json"):
            found.update(json.loads(path.read_text())["stages"])
        whole = took.cpu_us("pipeline")
        return {"cpu_us_by_stage": {stage: round(whole * samples / found.total(), 1) for stage, samples in found.most_common()}}

    def _produce(self, count: int, tenants: int) -> list[Made]:
        self._run += 1
        events = list(made(count, self._ground.realms[:tenants], seed=self._ground.seed, run=self._run, skew=self._skew))
        self._ground.topic.append(event.value for event in events)
        self.facts["event_bytes"] = round(sum(len(event.value) for event in events) / count)
        return events

    def _tenantry(self, *, sampled: bool = False) -> AbstractContextManager[Sequence[int]]:
        directory = self._ground.directory / f"tenantry-{self._run}"
        return tenantry.running(directory, self._ground.environment, self._workers, sampled=sampled)

    def _lap(self, events: Sequence[Made], pipeline: _Pipeline) -> Lap:
        before = self._ground.indexes.counts()
        took = lap(self._ground.indexes, len(events), pipeline(), self._ground.engines)
        check(before, self._ground.indexes.counts(), events, self._ground.realms)
        return took


def _figures(laps: Sequence[Mapping[str, Lap]]) -> dict[str, Any]:
    ours = [one["tenantry"] for one in laps]
    peers = [one["peer"] for one in laps]
    figures: dict[str, Any] = {
        "events_per_second": _median(one.rate for one in ours),
        "cpu_us_per_event": _median(one.cpu_us("pipeline") for one in ours),
        "worker_peak_mb": max(one.peak_mb for one in ours),
        "peer": "rsyslog, same topic, same indexes" if "ceiling" in laps[0] else "itself, twelve tenants with indexes of their own",
        "peer_events_per_second": _median(one.rate for one in peers),
        "peer_cpu_us_per_event": _median(one.cpu_us("pipeline") for one in peers),
        "ratio": _median(one.rate / other.rate for one, other in zip(ours, peers, strict=True)),
    }
    if "ceiling" in laps[0]:
        tops = [one["ceiling"] for one in laps]
        figures["ceiling_events_per_second"] = _median(one.rate for one in tops)
        figures["ceiling_ratio"] = _median(one.rate / top.rate for one, top in zip(ours, tops, strict=True))
    for engine in ("opensearch", "kafka"):
        figures[f"{engine}_cpu_us_per_event"] = {name: round(_median(one[name].cpu_us(engine) for one in laps), 1) for name in laps[0]}
    figures["rates"] = {name: [round(one[name].rate) for one in laps] for name in laps[0]}
    return figures


def _median(values: Any) -> float:
    return float(statistics.median(values))
