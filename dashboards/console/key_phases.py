"""The phases of a key's life: those behind it, by the ring's facts, and those ahead, by the policy's schedule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from keyvault.due import activates_at
from keyvault.key import Key, KeyState
from keyvault.ring import Ring


class PhaseKind(StrEnum):
    """What a key does in a phase."""

    PUBLISHED = "published"
    """It is in the JWKS, and does not sign yet."""
    SIGNING = "signing"
    """It is in the JWKS, and signs."""
    RETIRING = "retiring"
    """It is in the JWKS for tokens that are about, and signs no more."""
    GONE = "gone"
    """It has left the JWKS: its tokens have expired."""
    COMPROMISED = "compromised"
    """It has left the JWKS: its tokens are refused."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase; times are epoch milliseconds. What lies after now is what is planned.

    Attributes:
        end: None while nobody has planned an end.
    """

    kind: PhaseKind
    start: int
    end: int | None


def phases(key: Key, ring: Ring, now: int) -> tuple[Phase, ...]:
    """The phases of a key of the ring, in their order."""
    return tuple(_cut(key, _planned(key, ring, now)))


def turn(ring: Ring, now: int) -> int | None:
    """When the standby takes over by the schedule, or at once if its time has come; None if there is none that will."""
    planned = activates_at(ring, ring.policy)
    return None if planned is None else max(planned, now)


def _planned(key: Key, ring: Ring, now: int) -> Iterator[Phase]:
    """The phases, as if it had not been compromised."""
    handover = turn(ring, now)
    signs = handover if key.state is KeyState.PRE_ACTIVATION else key.activated_at
    stops = key.deactivated_at
    leaves = key.publish_until
    if key.state is KeyState.ACTIVE and handover is not None:
        stops, leaves = handover, handover + ring.policy.kept(key.token_lifetime)
    yield Phase(PhaseKind.PUBLISHED, key.published_at, stops if signs is None else signs)
    if signs is not None:
        yield Phase(PhaseKind.SIGNING, signs, stops)
    if stops is not None:
        # An imported key that had left and came back was deactivated before it was published.
        yield Phase(PhaseKind.RETIRING, max(stops, key.published_at), leaves)
        if leaves is not None and leaves <= now:
            yield Phase(PhaseKind.GONE, leaves, None)


def _cut(key: Key, planned: Iterator[Phase]) -> Iterator[Phase]:
    """Without what is empty, and without what a compromise put an end to."""
    bad = key.compromised_at
    for phase in planned:
        end = phase.end
        if bad is not None:
            end = bad if end is None else min(end, bad)
        if end is None or phase.start < end:
            yield Phase(phase.kind, phase.start, end)
    if bad is not None:
        yield Phase(PhaseKind.COMPROMISED, bad, None)
