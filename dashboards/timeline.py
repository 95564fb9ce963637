"""The picture of a rotation and of an emergency, drawn from a policy: `python -m dashboards.timeline > docs/rotation.svg`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Final

from dashboards.console.times import words
from keyvault.policy import Policy

_WIDTH: Final = 920
_LEFT: Final = 120
_ROW: Final = 44
_BAR: Final = 24
_STYLE: Final = (
    "text{font:13px system-ui,sans-serif;fill:#1f2937}.h{font-weight:600;font-size:15px}.s{font-size:12px;fill:#4b5563}"
    ".standby{fill:#dbeafe;stroke:#2563eb}.active{fill:#2563eb;stroke:#2563eb}.deactivated{fill:#e5e7eb;stroke:#6b7280}"
    ".bad{fill:#fecaca;stroke:#b91c1c}.t{stroke:#9ca3af;stroke-dasharray:3 3}.on{fill:#fff}"
)


@dataclass(frozen=True, slots=True)
class _Phase:
    """A part of a key's life, between two of the picture's moments; `kind` is its CSS class."""

    start: int
    end: int
    kind: str
    label: str


@dataclass(frozen=True, slots=True)
class _Strip:
    """A picture of keys over time, not to scale.

    Attributes:
        moments: what stands at each of the vertical lines.
        keys: each key's name and phases.
        notes: what to read off it.
    """

    title: str
    moments: tuple[str, ...]
    keys: tuple[tuple[str, tuple[_Phase, ...]], ...]
    notes: tuple[str, ...]


def timeline(policy: Policy) -> str:
    """Both pictures as one SVG document."""
    parts: list[str] = []
    top = 0
    for strip in (_rotation(policy), _emergency(policy)):
        parts += _drawn(strip, top)
        top += _height(strip)
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {top}" role="img" aria-label="How keys are rotated, over time">'
    )
    return "\n".join([opening, f"<style>{_STYLE}</style>", f'<rect width="{_WIDTH}" height="{top}" fill="#fff"/>', *parts, "</svg>", ""])


def _rotation(policy: Policy) -> _Strip:
    kept = words(policy.kept(policy.max_token_lifetime))
    period = words(policy.rotation_period)
    return _Strip(
        "A planned rotation",
        ("the start", f"{words(policy.publish_ahead)} before", f"after {period}", f"{kept} later", f"{period} later"),
        (
            ("key 1", (_Phase(0, 2, "active", "signs"), _Phase(2, 3, "deactivated", "verifies"))),
            ("key 2", (_Phase(0, 2, "standby", "published, does not sign yet"), _Phase(2, 4, "active", "signs"))),
            ("key 3", (_Phase(2, 4, "standby", "published, does not sign yet"),)),
        ),
        (
            f"A key is published for at least {words(policy.publish_ahead)} before it signs, so every cache has it by then.",
            f"It stays for {kept} after its last signature, so the last token that it signed still verifies.",
        ),
    )


def _emergency(policy: Policy) -> _Strip:
    takeover = words(policy.jwks_max_age + policy.clock_skew)
    return _Strip(
        "A compromised key",
        ("before", "it is reported", f"{takeover} later", ""),
        (
            ("key 1", (_Phase(0, 1, "bad", "signs"),)),
            (
                "key 2",
                (_Phase(0, 1, "standby", "published"), _Phase(1, 2, "active", "signs at once"), _Phase(2, 3, "deactivated", "verifies")),
            ),
            ("key 3", (_Phase(1, 2, "standby", "published"), _Phase(2, 3, "active", "signs"))),
        ),
        (
            "The bad key leaves the JWKS at once, and the standby signs, which most caches have.",
            "Key 3 is new to everybody: its unknown kid makes clients whose cache never expires fetch, and drop the bad key.",
        ),
    )


def _height(strip: _Strip) -> int:
    return 74 + _ROW * len(strip.keys) + 20 * len(strip.notes) + 16


def _drawn(strip: _Strip, top: int) -> Iterator[str]:
    step = (_WIDTH - _LEFT - 40) / (len(strip.moments) - 1)
    xs = [round(_LEFT + step * number) for number in range(len(strip.moments))]
    bottom = top + 66 + _ROW * len(strip.keys)
    yield _text(16, top + 26, strip.title, "h")
    for x, moment in zip(xs, strip.moments, strict=True):
        if moment:
            yield f'<line class="t" x1="{x}" y1="{top + 58}" x2="{x}" y2="{bottom}"/>'
            yield _text(x, top + 50, moment, "s", "start" if x == xs[0] else "end" if x == xs[-1] else "middle")
    for row, (name, phases) in enumerate(strip.keys):
        y = top + 66 + _ROW * row
        yield _text(16, y + 17, name)
        for phase in phases:
            x, width = xs[phase.start], xs[phase.end] - xs[phase.start]
            yield f'<rect class="{phase.kind}" x="{x}" y="{y}" width="{width}" height="{_BAR}" rx="4"/>'
            yield _text(x + width // 2, y + 17, phase.label, "on" if phase.kind == "active" else "", "middle")
    for number, note in enumerate(strip.notes):
        yield _text(16, bottom + 18 + 20 * number, note, "s")


def _text(x: int, y: int, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x}" y="{y}"{f" class={chr(34)}{kind}{chr(34)}" if kind else ""} text-anchor="{anchor}">{escape(text)}</text>'


if __name__ == "__main__":
    sys.stdout.write(timeline(Policy()))
