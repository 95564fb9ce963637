"""The key ring as a picture over time, drawn for any width: across in parts of it, down in pixels, so that its text keeps its size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dashboards.console.key_phases import Phase, PhaseKind, phases, turn
from dashboards.console.text import json_escaped
from dashboards.console.times import tick, utc
from keyvault.due import outdated
from keyvault.key import Key
from keyvault.ring import Ring

_ROWS: Final = 8
_TOP: Final = 26
_ROW: Final = 52
_BAR: Final = 22
_LABEL: Final = 16
_KID: Final = 12
_NARROWEST: Final = 310
"""Pixels of the picture on the narrowest screen: what fits into a bar there fits everywhere."""
_LETTER: Final = 7.5
_LEAST_PART: Final = 0.8
"""Per cent: however short a phase is, it can be seen."""
_ROOM_BEFORE: Final = 0.03
_ROOM_AFTER: Final = 0.08
_SHORTEST: Final = 60_000
_VERBS: Final = {
    PhaseKind.PUBLISHED: "published",
    PhaseKind.SIGNING: "signs",
    PhaseKind.RETIRING: "verifies",
    PhaseKind.GONE: "gone",
    PhaseKind.COMPROMISED: "compromised",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A phase, or its part before or after now. `x` and `width` are per cent of the picture; `label` is left out where it does not fit."""

    kind: str
    planned: bool
    x: str
    width: str
    label: str
    title: str


@dataclass(frozen=True, slots=True)
class Row:
    """A key: its bars, and its phases in words: what it does, from when, until when (epoch milliseconds; None: no end is planned)."""

    y: int
    name: str
    kid: str
    bars: tuple[Bar, ...]
    says: tuple[tuple[str, int, int | None], ...]


@dataclass(frozen=True, slots=True)
class Tick:
    """A moment on the axis, as a part of its width, and how its text stands there."""

    x: str
    anchor: str
    label: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The picture.

    Attributes:
        rows: the oldest key first.
        more: how many old keys are left out.
        says: what to read off it, in sentences.
    """

    height: int
    bar: int
    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    now: Tick
    more: int
    says: tuple[str, ...]


def timeline(ring: Ring, now: int) -> Timeline | None:
    """The picture of the ring; None of an empty one."""
    if not ring.keys:
        return None
    # Those that matter most, if there are too many: what is published, then what changed last.
    ranked = sorted(ring.keys, key=lambda key: (not key.published(now), -_changed(key)))
    shown = sorted(ranked[:_ROWS], key=lambda key: (key.published_at, key.ordinal))
    lives = [phases(key, ring, now) for key in shown]
    scale = _Scale.of([phase for life in lives for phase in life], now)
    rows = tuple(_row(number, key, life, scale, now) for number, (key, life) in enumerate(zip(shown, lives, strict=True)))
    ticks = tuple(
        Tick(_part(at), anchor, tick(round(scale.first + scale.span * at / 100), scale.span))
        for at, anchor in ((0.0, "start"), (50.0, "middle"), (100.0, "end"))
    )
    return Timeline(
        height=_TOP + _ROW * len(rows) + 24,
        bar=_BAR,
        rows=rows,
        ticks=ticks,
        now=_now(scale.at(now)),
        more=len(ring.keys) - len(shown),
        says=_says(ring, now),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    first: int
    span: int

    @classmethod
    def of(cls, shown: Sequence[Phase], now: int) -> _Scale:
        """From the first phase to the last end that is known, with some room around it for what has no end, and to see the first begin."""
        first = min(now, *(phase.start for phase in shown))
        last = max(now, *(phase.start if phase.end is None else phase.end for phase in shown))
        length = max(last - first, _SHORTEST)
        return cls(first - round(length * _ROOM_BEFORE), round(length * (1 + _ROOM_BEFORE + _ROOM_AFTER)))

    def at(self, time: int) -> float:
        """Per cent."""
        return min(100.0, max(0.0, 100 * (time - self.first) / self.span))


def _row(number: int, key: Key, life: Sequence[Phase], scale: _Scale, now: int) -> Row:
    kid = json_escaped(key.kid)  # markup can't stand in a picture's text
    return Row(
        y=_TOP + _ROW * number + _LABEL,
        name=f"Key {key.ordinal}" if key.ordinal else "Imported key",
        kid=kid if len(kid) <= _KID else f"{kid[: _KID - 1]}…",
        bars=tuple(bar for phase in life for bar in _bars(phase, scale, now)),
        says=tuple((_VERBS[phase.kind], phase.start, phase.end) for phase in life),
    )


def _bars(phase: Phase, scale: _Scale, now: int) -> Iterator[Bar]:
    over = phase.kind in {PhaseKind.GONE, PhaseKind.COMPROMISED}
    # What is over stays so, but that is no plan: it is drawn up to now.
    end = phase.end if phase.end is not None else now if over else scale.first + scale.span
    parts = [(phase.start, min(end, now), False), (max(phase.start, now), end, True)]
    parts = [part for part in parts if part[0] < part[1]]
    widest = max(parts, key=lambda part: part[1] - part[0], default=None)
    until = f" until {utc(phase.end)}" if phase.end is not None else ""
    for start, stop, planned in parts:
        x, right = scale.at(start), scale.at(stop)
        width = max(_LEAST_PART, right - x)
        # What is over must not look planned, however short it was.
        x = max(0.0, min(x, (100 if planned else scale.at(now)) - width))
        label = _VERBS[phase.kind]
        fits = len(label) * _LETTER + 8 <= width / 100 * _NARROWEST
        yield Bar(
            kind=phase.kind.value,
            planned=planned,
            x=_part(x),
            width=_part(width),
            label=label if fits and (start, stop, planned) == widest and phase.kind is not PhaseKind.GONE else "",
            title=f"{label} from {utc(phase.start)}{until}",
        )


def _now(at: float) -> Tick:
    return Tick(_part(at), "start" if at < 8 else "end" if at > 92 else "middle", "now")


def _says(ring: Ring, now: int) -> tuple[str, ...]:
    handover, active, standby = turn(ring, now), ring.active, ring.standby
    published = len(ring.published(now))
    counted = f"{published} {'key is' if published == 1 else 'keys are'} in the JWKS."
    if active is None:
        return ("No key signs.", counted)
    if standby is not None and outdated(ring, ring.policy):
        return (f"{_name(active)} signs. {_name(standby)} is about to be replaced, as the policy asks for another algorithm.", counted)
    if standby is None or handover is None:
        return (f"{_name(active)} signs, and nothing is published yet that could take over.", counted)
    when = "now, as soon as the scheduler can do it" if handover <= now else f"on {utc(handover)}"
    return (f"{_name(active)} signs. {_name(standby)} follows {when}.", counted)


def _name(key: Key) -> str:
    return f"Key {key.ordinal}" if key.ordinal else f"The imported key {key.kid}"


def _changed(key: Key) -> int:
    times = (key.published_at, key.activated_at, key.deactivated_at, key.compromised_at)
    return max(time for time in times if time is not None)


def _part(at: float) -> str:
    return f"{at:.2f}%"
