"""An approval: what one person has asked for, and a second one is to agree to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from keyvault.orders import Order


class ApprovalState(StrEnum):
    """Where an approval stands."""

    PENDING = "pending"
    """It can be given, or withdrawn."""
    GIVEN = "given"
    """A second person has given it, and the order was carried out with it."""
    WITHDRAWN = "withdrawn"
    """Somebody did not want it any more, or the ring had changed so that it made no sense."""
    EXPIRED = "expired"
    """Nobody gave it in time. No event tells of this: time does."""


@dataclass(frozen=True, slots=True)
class Approval:
    """An approval that was asked for. Immutable; times are epoch milliseconds.

    Attributes:
        id: what people call it by; knowing it lets nobody do anything.
        order: what is carried out once it is given.
        asked_by: the principal that asked.
        until: from when on it can't be given any more.
        closed_by: the principal that gave or withdrew it.
        why: for what reason it was withdrawn, if somebody or something gave one.
    """

    id: str
    order: Order
    asked_by: str
    asked_at: int
    until: int
    closed: ApprovalState | None = None
    closed_at: int | None = None
    closed_by: str | None = None
    why: str | None = None

    def state(self, now: int) -> ApprovalState:
        """Where it stands at `now`."""
        if self.closed is not None:
            return self.closed
        return ApprovalState.PENDING if now < self.until else ApprovalState.EXPIRED
