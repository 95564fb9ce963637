"""What waits for one relying party, in the order of the events, and what has lately become of what did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from services.notices.attempt import Trouble
from services.notices.notice import Notice, NoticeState
from streams.control_log import ControlEvent

MOST_WAITING: Final = 100
"""More are not kept for a relying party that takes none: who hears of the newest hundred key events has heard enough."""
KEPT: Final = 10
"""Of those that are done; the tenant's own log has all of them."""


@dataclass(slots=True)
class Line:
    """The line of a relying party. Only its first notice is ever tried.

    Attributes:
        webhook: where they are sent; None if it wants none.
        failing: whether the last attempt failed that was not interrupted.
    """

    webhook: str | None = None
    failing: bool = False
    waiting: list[Notice] = field(default_factory=list)
    done: list[Notice] = field(default_factory=list)

    @property
    def head(self) -> Notice | None:
        """The notice that is next."""
        return self.waiting[0] if self.waiting else None

    @property
    def second(self) -> Notice | None:
        """The notice after that."""
        return self.waiting[1] if len(self.waiting) > 1 else None

    @property
    def all(self) -> Sequence[Notice]:
        """What there is, newest event first."""
        return [*reversed(self.waiting), *reversed(self.done)]

    def move(self, webhook: str | None, at: int) -> None:
        """Sends to another webhook from now on: at once, since nobody knows yet that it fails."""
        if webhook == self.webhook:
            return
        self.webhook, self.failing = webhook, False
        if webhook is None:
            while self.waiting:
                self._abandon(Trouble.NO_WEBHOOK, at)
        elif self.waiting:
            self.waiting[0] = replace(self.waiting[0], next_at=at)

    def add(self, notice: Notice) -> None:
        """One more waits."""
        if len(self.waiting) == MOST_WAITING:
            self._abandon(Trouble.TOO_MANY, notice.at)
        self.waiting.append(notice)

    def hurry(self, at: int) -> None:
        """What failed before is tried again at once: something that can't wait has joined the line."""
        head = self.waiting[0]
        self.waiting[0] = replace(head, next_at=min(head.next_at, at))

    def follow(self, event: ControlEvent) -> None:
        """What became of an attempt at the first notice. One that is not the first any more is left alone."""
        head, data = self.head, event.data
        if head is None or head.id != data["id"]:
            return
        if event.type == "notice_claimed":
            self.waiting[0] = replace(head, attempts=data["attempt"], claimed_until=data["until"])
            return
        seen = replace(head, claimed_until=0, error=data.get("error"), status=data.get("status"))
        if event.type == "notice_failed":
            self.waiting[0] = replace(seen, next_at=data["next_at"])
            self.failing = self.failing or data["error"] != Trouble.INTERRUPTED
            return
        delivered = event.type == "notice_delivered"
        self.failing = not delivered
        self._end(replace(seen, state=NoticeState.DELIVERED if delivered else NoticeState.ABANDONED, ended_at=event.at))

    def _abandon(self, why: Trouble, at: int) -> None:
        self._end(replace(self.waiting[0], claimed_until=0, error=why.value, state=NoticeState.ABANDONED, ended_at=at))

    def _end(self, first: Notice) -> None:
        del self.waiting[0]
        self.done = [*self.done, first][-KEPT:]
