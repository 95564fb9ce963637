"""A wave: many tenants rotate their keys one after another, no faster than a rate. All times are epoch milliseconds."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from keyvault.errors import InvalidWave
from keyvault.rate import Rate


@dataclass(frozen=True, slots=True)
class Request:
    """What a wave asks of one ring: to rotate when `due_at` has come, or when its standby is ready, if that is later.

    It is answered by whatever key becomes active after `at`, for whatever reason.

    Attributes:
        wave: its id.
        at: when the wave began.
        due_at: when it is the tenant's turn.
        rate: the wave's, for those that are late.
    """

    wave: str
    at: int
    due_at: int
    rate: Rate


def plan(tenants: Mapping[str, int], rate: Rate, *, starts_at: int, jitter: float, seed: str) -> dict[str, int]:
    """Whose turn is when: each tenant once, in the order of the turns.

    Each slot of the rate holds one turn, so a time of `n` slots never sees more than `n` turns, or `n + 1` with jitter. The order is drawn
    by lot: it says nothing of the tenants, and depends on nothing but the seed, who they are and when they are ready.

    Args:
        tenants: with the time from which on each could rotate, so that nobody's slot is wasted, and no crowd becomes ready at once.
        rate: how many turns there are in how much time.
        starts_at: when the first slot begins.
        jitter: from 0 (turns at the beginning of their slots) to 1 (anywhere in them).
        seed: for instance the wave's id.

    Raises:
        InvalidWave: the jitter is not between 0 and 1, or there are no tenants.
    """
    if not 0 <= jitter <= 1:
        raise InvalidWave(f"jitter is a number from 0 to 1, the part of a slot that a turn may move by, and not {jitter}")
    if not tenants:
        raise InvalidWave("there is no tenant to rotate")
    dice = random.Random(seed)  # noqa: S311 -- it must be foreseeable
    lots = sorted(tenants)
    dice.shuffle(lots)
    waiting = [(tenants[tenant], lot) for lot, tenant in enumerate(lots)]
    heapify(waiting)
    ready: list[int] = []
    turns: dict[str, int] = {}
    first, slot = starts_at, 0
    while waiting or ready:
        if not ready and waiting[0][0] > first + rate.slot(slot):
            first, slot = waiting[0][0], 0  # nobody could take this slot: they are counted from the next one who can
        begin, end = first + rate.slot(slot), first + rate.slot(slot + 1)
        while waiting and waiting[0][0] <= begin:
            heappush(ready, heappop(waiting)[1])
        turns[lots[heappop(ready)]] = begin + int(jitter * dice.random() * (end - begin))
        slot += 1
    return turns
