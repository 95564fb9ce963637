"""How far a wave has come, told from memory: from its plan and the tenants' rings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from keyvault.due import activates_at, outdated
from keyvault.ring import Ring
from services.keys.rings import Rings
from services.keys.waves import Wave
from services.tenants.tenant import Tenants
from streams.event import iso


@dataclass(frozen=True, slots=True)
class Overdue:
    """A tenant whose turn has come and that has not rotated.

    Attributes:
        due_at: when its turn came, epoch milliseconds.
        failed: whether it was tried in vain; it is tried again.
        reason: why it has not rotated yet, in words for people.
    """

    tenant: str
    due_at: int
    failed: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a wave has come. The counts add up to the wave's tenants.

    Attributes:
        done: tenants that have rotated since it began, for whatever reason.
        waiting: those whose turn has not come.
        late: those whose turn has come, and that wait for something; see `overdue`.
        failed: those that were tried in vain on this node, and are tried again; see `overdue`.
        released: those that were not done when it was stopped.
        gone: those that were deleted.
        ends_at: when the last one's turn is, or will have come, in epoch milliseconds; the end of one that has ended, None if nobody knows.
        overdue: who is late or failed.
    """

    state: Literal["running", "finished", "stopped"]
    done: int
    waiting: int = 0
    late: int = 0
    failed: int = 0
    released: int = 0
    gone: int = 0
    ends_at: int | None = None
    overdue: Sequence[Overdue] = ()

    @property
    def left(self) -> int:
        """How many tenants are still to rotate."""
        return self.waiting + self.late + self.failed


def progress(wave: Wave, rings: Rings, tenants: Tenants, now: int, trouble: Callable[[str], str | None]) -> Progress:
    """How far the wave has come.

    Args:
        wave: which.
        rings: see `tenants`.
        tenants: as they are now.
        now: epoch milliseconds.
        trouble: why a tenant's last attempt failed, or None.
    """
    if wave.ended is not None:
        state: Literal["finished", "stopped"] = "stopped" if wave.ended == "stopped" else "finished"
        return Progress(state=state, ends_at=wave.ended_at, **wave.counts)  # type: ignore[arg-type]  # counts
    done = gone = waiting = 0
    ends_at: int | None = wave.at
    overdue = []
    for tenant, due_at in wave.turns.items():
        ring = rings.of(tenant)
        if not tenants.exists(tenant):
            gone += 1
        elif ring.requested is None or ring.requested.wave != wave.id:
            done += 1
        elif due_at > now:
            waiting += 1
            ends_at = due_at if ends_at is not None else None
        else:
            overdue.append(_overdue(tenant, due_at, ring, now, trouble(tenant)))
            when = activates_at(ring, ring.policy)
            ends_at = max(ends_at, when, now) if ends_at is not None and when is not None else None
    failed = sum(one.failed for one in overdue)
    return Progress(
        state="running" if waiting or overdue else "finished",
        done=done,
        waiting=waiting,
        late=len(overdue) - failed,
        failed=failed,
        gone=gone,
        ends_at=ends_at,
        overdue=overdue,
    )


def _overdue(tenant: str, due_at: int, ring: Ring, now: int, trouble: str | None) -> Overdue:
    if trouble is not None:
        return Overdue(tenant, due_at, failed=True, reason=f"{trouble} (it is tried again)")
    when = activates_at(ring, ring.policy)
    if when is None:
        room = ring.next_change(now)
        until = f"; there is room from {iso(room)} on" if room is not None else ""
        lacks = (
            "its standby is of another algorithm than the policy's, and is not replaced yet"
            if outdated(ring, ring.policy)
            else "it has no standby"
        )
        reason = f"{lacks}: {len(ring.published(now))} keys are published, of {ring.policy.max_published_keys} allowed{until}"
    elif when > now:
        reason = f"its standby has not been published for long enough: it signs from {iso(when)} on"
    else:
        reason = "its turn has just come, or others that are late are before it"
    return Overdue(tenant, due_at, failed=False, reason=reason)
