"""The health of the engines and processors: what each says, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from dashboards.console.platform_frame import plural

_MEANS: Final = {
    "settings": "Environment variables TENANTRY_*, read at the start.",
    "data directory": "Holds what the embedded engines store, and the operator's token.",
    "event log": "The truth. Without it nothing is taken, changed or reported; JWKS are served from memory, searches go on.",
    "control log": "Tenants, tokens and key rings follow it. A node that is behind answers by what it knew.",
    "search index": "A projection of the log. While it is away nothing can be searched, and nothing is lost: it is caught up by itself.",
    "key store": "Holds the private keys. While it is away nothing is signed; JWKS are served, and a bad key can be reported.",
}
"""What depends on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the installation.

    Attributes:
        where: its place or address; empty if it has none.
        says: what it says, or what is wrong and what to do.
    """

    name: str
    ok: bool
    where: str
    says: str

    @property
    def means(self) -> str:
        """What depends on it."""
        return _MEANS.get(self.name, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorLine:
    """A processor: how many records it has before it (None: not known now), and what keeps it from its work."""

    name: str
    lag: int | None
    trouble: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthPage:
    """The health.

    Attributes:
        here: whether this process does the processing itself.
        behind: how many tenants' indexes are being caught up.
        late: how many tenants' key rings need something that has not been done.
    """

    template: ClassVar[str] = "health.html"
    now: int
    parts: tuple[Part, ...]
    processors: tuple[ProcessorLine, ...]
    here: bool
    behind: int
    title: str = "Health"

    @classmethod
    def of(
        cls,
        now: int,
        parts: Sequence[Part],
        *,
        lag: Mapping[str, int] | None,
        trouble: Mapping[str, str],
        names: Sequence[str],
        here: bool,
        behind: int,
    ) -> HealthPage:
        """The page of these findings. What is wrong comes first."""
        lines = tuple(
            ProcessorLine(name=name, lag=lag.get(name, 0) if lag is not None else None, trouble=trouble.get(name, "")) for name in names
        )
        return cls(now=now, parts=tuple(sorted(parts, key=lambda part: part.ok)), processors=lines, here=here, behind=behind)

    @property
    def summary(self) -> str:
        """How it is, in one sentence."""
        bad = sum(not part.ok for part in self.parts) + sum(bool(line.trouble) for line in self.processors)
        return "All is well." if not bad else f"{plural(bad, 'part')} {'needs' if bad == 1 else 'need'} you."
