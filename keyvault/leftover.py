"""Leftovers: names that the key store may hold a key under, and that the ring can't use any more.

Before a key is in the log it is created in the store, by an attempt that may be interrupted, not answered, or too late. Its name is
made of the ring's next ordinal and the policy's algorithm, so the next attempt finds it, unless the algorithm was changed in between.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keyvault.algorithms import Algorithm
from keyvault.durations import MINUTE

IN_FLIGHT: Final = 10 * MINUTE
"""How long the creation of a key may be under way. No store call takes longer (Vault's ends after two minutes at the most), and no
node that is only slow: what was begun before has happened by then, or never will."""


@dataclass(frozen=True, slots=True)
class Tried:
    """An algorithm that the policy had before, and the highest ordinal that an attempt may have taken with it."""

    algorithm: Algorithm
    reach: int


@dataclass(frozen=True, slots=True)
class Leftover:
    """A name that was lost to another: nothing that the log can hold will ever use it.

    When a key is prepared, its ordinal and those below are taken, so that no append that was decided before can succeed. Destroying
    what attempts have left under them harms nobody from then on; not before, since another node may just be about to append it.

    Attributes:
        ordinal: with tenant and algorithm it makes the name in the store.
        since: when it was lost, epoch milliseconds.
    """

    ordinal: int
    algorithm: Algorithm
    since: int

    def due_at(self, clock_skew: int) -> int:
        """From when on nothing can appear under the name any more, by whichever node's clock: then destroying it once is enough."""
        return self.since + IN_FLIGHT + clock_skew


def changed(tried: tuple[Tried, ...], algorithm: Algorithm, first: int, *, alone: bool) -> tuple[Tried, ...]:
    """What was tried, once the policy has this algorithm no more.

    Args:
        tried: by attempts before.
        algorithm: that the policy had.
        first: the ring's next ordinal, which attempts may have taken.
        alone: whether the ring has neither an active key nor a standby. Only then does a plan create two keys.
    """
    others = (one for one in tried if one.algorithm is not algorithm)
    return (*others, Tried(algorithm, first + alone))


def lost(tried: tuple[Tried, ...], first: int, ordinal: int, algorithm: Algorithm, at: int) -> tuple[Leftover, ...]:
    """The names that are lost when a key is prepared.

    Args:
        tried: by attempts before.
        first: the ring's next ordinal. Those from there on were passed over: destroyed before, as far as one knows.
        ordinal: of the key.
        algorithm: of the key, and of attempts at the same time.
        at: when, epoch milliseconds.
    """
    passed = [Leftover(number, algorithm, at) for number in range(first, ordinal)]
    others = [one for one in tried if one.algorithm is not algorithm]
    return (*passed, *(Leftover(number, one.algorithm, at) for one in others for number in range(first, min(ordinal, one.reach) + 1)))
