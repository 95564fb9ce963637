"""What is coming to a key ring in the next days, by its policy. Pure, like `due`, which alone decides; this only looks ahead.

What comes next is told as `due` will decide it, if nobody does anything meanwhile. What comes after the next activation is an estimate: it
goes by `rotation_period`, and does not know of relying parties, waves or `max_published_keys` of then.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from enum import StrEnum

from keyvault.due import activates_at, outdated, room
from keyvault.durations import DAY
from keyvault.key import KeyState
from keyvault.readiness import ready_from, safe_at
from keyvault.ring import Ring


class Kind(StrEnum):
    """What happens to a key."""

    PREPARE = "prepare"
    """It is created and published, and signs nothing yet."""
    ACTIVATE = "activate"
    """It signs, and the key before it is deactivated in the same moment."""
    RETIRE = "retire"
    """A deactivated key leaves the JWKS and is destroyed: its last token has expired."""


@dataclass(frozen=True, slots=True)
class Coming:
    """Something that is coming.

    Attributes:
        at: when, in epoch milliseconds; what is overdue comes now.
        kind: what.
        kid: of which key; None for one that is not there yet.
        overdue: it was due before now.
    """

    at: int
    kind: Kind
    kid: str | None = None
    overdue: bool = False


def forecast(ring: Ring, now: int, until: int) -> list[Coming]:
    """What is coming to the ring from `now` until before `until` (epoch milliseconds), the earliest first.

    A ring that rotates more often than daily has one rotation every day: so what this costs goes by the days, whatever the policy.
    """
    found = [one for one in _all(ring, now, until) if one.at < until]
    return sorted(found, key=lambda one: (one.at, list(Kind).index(one.kind)))


def upcoming(ring: Ring, now: int) -> Coming:
    """What comes to the ring next, however far away that is: at least an activation always comes."""
    return min(_first(ring, now), key=lambda one: (one.at, list(Kind).index(one.kind)))


def _first(ring: Ring, now: int) -> Iterator[Coming]:
    """Everything up to the next activation, and that."""
    yield from _retiring(ring, now)
    turn, kid, overdue = yield from _next(ring, now)
    yield Coming(turn, Kind.ACTIVATE, kid, overdue)


def _retiring(ring: Ring, now: int) -> Iterator[Coming]:
    for key in ring.keys:
        if key.state is KeyState.DEACTIVATED and key.publish_until is not None and (key.published(now) or key.stored):
            yield Coming(max(key.publish_until, now), Kind.RETIRE, key.kid, overdue=key.publish_until < now)


def _all(ring: Ring, now: int, until: int) -> Iterator[Coming]:
    policy, active = ring.policy, ring.active
    yield from _retiring(ring, now)
    turn, kid, overdue = yield from _next(ring, now)
    kept = policy.kept(max(active.token_lifetime if active is not None else 0, policy.max_token_lifetime))
    before, signs = (active.kid, True) if active is not None else (None, False)
    while turn < until:
        yield Coming(turn, Kind.ACTIVATE, kid, overdue)
        yield Coming(turn, Kind.PREPARE)
        if signs:
            yield Coming(turn + kept, Kind.RETIRE, before)
        before, signs, kid, overdue = kid, True, None, False
        turn += max(policy.rotation_period, policy.publish_ahead, DAY)


def _next(ring: Ring, now: int) -> Generator[Coming, None, tuple[int, str | None, bool]]:
    """The next activation: when, of which key, whether it is overdue. Tells of the key that has to be prepared for it."""
    policy, active, standby = ring.policy, ring.active, ring.standby
    if active is None:
        if standby is None:
            yield Coming(now, Kind.PREPARE, overdue=True)
        return now, standby.kid if standby is not None else None, True
    if standby is None:
        free = now if room(ring, policy, now) > 0 else ring.next_change(now) or now
        yield Coming(free, Kind.PREPARE)
        return max(ready_from(ring, policy, free), (active.activated_at or now) + policy.rotation_period), None, False
    if outdated(ring, policy):  # it is replaced, and its successor does not wait for `rotation_period`
        yield Coming(now, Kind.PREPARE)
        return ready_from(ring, policy, now), None, False
    planned = activates_at(ring, policy)
    turn = planned if planned is not None else safe_at(ring, policy, standby)
    return max(turn, now), standby.kid, turn < now
