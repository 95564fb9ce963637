"""One lap: a pipeline takes all events of a run, watched from the first that is written to the last."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

from benchmarks.pipeline import cpu
from benchmarks.pipeline.events import Made, Realm
from benchmarks.pipeline.indexes import Indexes

_POLL_SECONDS = 0.1
_FIRST_SECONDS = 120
_LEAST_PER_SECOND = 200


class Lap(NamedTuple):
    """What a lap took.

    Attributes:
        events: how many.
        seconds: from the last moment at which nothing was written to the moment at which everything was.
        cpu: CPU seconds meanwhile, by the name of who used them.
        peak_mb: the largest memory of one of the pipeline's processes.
    """

    events: int
    seconds: float
    cpu: Mapping[str, float]
    peak_mb: float

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    def cpu_us(self, name: str) -> float:
        """CPU time of an event, in microseconds."""
        return self.cpu[name] / self.events * 1e6


def lap(indexes: Indexes, events: int, pipeline: AbstractContextManager[Sequence[int]], engines: Mapping[str, Sequence[int]]) -> Lap:
    """Runs the pipeline until so many events are written.

    Args:
        indexes: where it writes.
        events: how many it must write.
        pipeline: entering it starts it; answers its process ids.
        engines: the process ids of the servers.

    Raises:
        AssertionError: it took too long, or a process ended.
    """
    indexes.settle()
    before = indexes.written()
    with pipeline as pids:
        watched = {**engines, "pipeline": pids}
        begun = start = time.monotonic()
        first = _cpu(watched)
        while True:
            done = indexes.written() - before
            now = time.monotonic()
            if done >= events:
                break
            used = _cpu(watched)
            if not done:
                start, first = now, used
            limit = _FIRST_SECONDS if not done else _FIRST_SECONDS + events / _LEAST_PER_SECOND
            assert now - begun < limit, f"{done} of {events} events were written in {now - begun:.0f} s"
            time.sleep(_POLL_SECONDS)
        last = _cpu(watched)
        peak = max((cpu.peak_mb(pid) for pid in pids), default=0.0)
    return Lap(events, now - start, {name: last[name] - first[name] for name in watched}, peak)


def check(before: Mapping[str, int], after: Mapping[str, int], events: Sequence[Made], realms: Sequence[Realm]) -> None:
    """Returns if each tenant has got each of its events exactly once: by the ids, none can be there twice.

    Raises:
        AssertionError: one has not; then there is no figure.
    """
    wanted = Counter(realms[event.realm].id for event in events)
    got = {tenant: count - before.get(tenant, 0) for tenant, count in after.items()}
    wrong = {tenant: (got.get(tenant, 0), wanted[tenant]) for tenant in wanted.keys() | got.keys() if got.get(tenant, 0) != wanted[tenant]}
    assert not wrong, f"{len(wrong)} tenants have not got their events (got, wanted): {dict(list(wrong.items())[:5])}"


def _cpu(watched: Mapping[str, Sequence[int]]) -> dict[str, float]:
    return {name: cpu.seconds(pids) for name, pids in watched.items()}
