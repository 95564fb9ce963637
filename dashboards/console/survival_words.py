"""Whether a relying party survives a rotation and an emergency, as its developers want to hear it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from dashboards.console.caching_words import spoken
from dashboards.console.times import words
from keyvault.survival import Survival


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a way to keep a JWKS.

    Attributes:
        planned: whether a planned rotation goes unnoticed.
        emergency: whether it gets over a compromised key by itself.
        over: when it is over that, in words.
        findings: what happens, a sentence each.
        advice: what to change, best first.
    """

    planned: bool
    emergency: bool
    over: str
    findings: tuple[str, ...]
    advice: tuple[str, ...]

    @classmethod
    def of(cls, found: Survival) -> Self:
        """In words."""
        over = "it has to be restarted"
        if found.exposed_for is not None and found.refused_for is not None:
            over = f"it is over it by itself, within {words(max(found.exposed_for, found.refused_for))}"
        return cls(
            planned=found.planned,
            emergency=found.emergency,
            over=over,
            findings=tuple(spoken(one) for one in found.findings),
            advice=tuple(spoken(one) for one in found.advice),
        )
