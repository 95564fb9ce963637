"""The waves, folded from the control log.

A wave is one fact about many tenants: its plan says whose turn is when, and is put to their rings as a `Request`. Nothing is appended to
the tenants' own streams, so a crash can leave nothing half done, and a wave of thousands is begun, or stopped, in one append. Whether a
tenant has rotated is told by its ring alone: a key became active after the wave began. So every node comes to the same, in whatever order
it hears of waves and rings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from keyvault.rate import Rate
from keyvault.wave import Request
from services.keys.rings import Rings
from streams.control_log import ControlEvent, Projection

WAVES: Final = "@waves"
"""The aggregate of all waves; no tenant id looks like it."""
_ENDINGS: Final = {"wave_finished": "finished", "wave_stopped": "stopped"}
_CHUNK: Final = 1000
"""Turns in one event: a record stays far below what Kafka takes."""


@dataclass(slots=True)
class Wave:
    """A wave; times are epoch milliseconds.

    Attributes:
        by: the operator who began it.
        command: its request's fingerprint, a line break, and `Idempotency-Key`; None if it had none.
        tenants: how many it is for.
        turns: whose turn is when, in that order; empty once it has ended.
        ended: how it ended (`finished` or `stopped`), or None.
        counts: for an ended one, how many tenants had rotated (`done`), were deleted (`gone`), or were not reached (`released`).
    """

    id: str
    at: int
    by: str
    rate: Rate
    jitter: float
    reason: str
    tenants: int
    command: str | None = None
    turns: dict[str, int] = field(default_factory=dict)
    ended: str | None = None
    ended_at: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


class Waves(Projection):
    """All waves there ever were. One runs at a time: two would exceed the rate of each."""

    def __init__(self, rings: Rings) -> None:
        self._rings = rings
        self._waves: dict[str, Wave] = {}

    def apply(self, key: str, event: ControlEvent) -> None:
        """Folds `wave_started`, `wave_planned` (the turns, in parts), `wave_finished` and `wave_stopped`."""
        if key != WAVES:
            return
        data = event.data
        if event.type == "wave_started":
            self._waves[data["id"]] = Wave(
                data["id"],
                event.at,
                event.by,
                Rate.parse(data["rate"]),
                data["jitter"],
                data["reason"],
                data["tenants"],
                event.command,
            )
        elif event.type == "wave_planned":
            wave = self._waves[data["id"]]
            for tenant, after in data["turns"].items():
                wave.turns[tenant] = due_at = wave.at + after
                self._rings.ask(tenant, Request(wave.id, wave.at, due_at, wave.rate))
        elif event.type in _ENDINGS:
            wave = self._waves[data["id"]]
            for tenant in wave.turns:
                self._rings.release(tenant, wave.id)
            wave.turns = {}
            wave.ended, wave.ended_at, wave.counts = _ENDINGS[event.type], event.at, data["counts"]

    def find(self, identifier: str) -> Wave | None:
        """The wave with this id."""
        return self._waves.get(identifier)

    def all(self) -> Sequence[Wave]:
        """Every wave, the newest first."""
        return list(reversed(self._waves.values()))

    @property
    def open(self) -> Wave | None:
        """The wave whose end is not in the log yet, if there is one."""
        return next((wave for wave in reversed(self._waves.values()) if wave.ended is None), None)


def started(wave: Wave) -> Sequence[ControlEvent]:
    """The events of a new wave, to be appended together."""
    about = {
        "id": wave.id,
        "rate": str(wave.rate),
        "jitter": wave.jitter,
        "reason": wave.reason,
        "tenants": wave.tenants,
    }
    events = [ControlEvent(type="wave_started", at=wave.at, by=wave.by, data=about, command=wave.command)]
    turns = list(wave.turns.items())
    for start in range(0, len(turns), _CHUNK):
        part = {tenant: due_at - wave.at for tenant, due_at in turns[start : start + _CHUNK]}
        events.append(ControlEvent(type="wave_planned", at=wave.at, by=wave.by, data={"id": wave.id, "turns": part}))
    return events


def ended(wave: Wave, how: str, counts: Mapping[str, int], by: str, now: int) -> ControlEvent:
    """The event of a wave's end: `finished` or `stopped`."""
    return ControlEvent(type=f"wave_{how}", at=max(now, wave.at), by=by, data={"id": wave.id, "counts": dict(counts)})
