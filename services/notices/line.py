"""What waits for one relying party, in the order of the events but for what is urgent, and what has lately become of what did."""

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
    """The line of a relying party. Only its first notice is tried, and one that is under way stays the first.

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
    def all(self) -> Sequence[Notice]:
        """What there is, newest event first."""
        return sorted([*reversed(self.waiting), *reversed(self.done)], key=lambda notice: -notice.at)

    def find(self, notice_id: str) -> Notice | None:
        """The notice with this id, if it still waits."""
        return next((notice for notice in self.waiting if notice.id == notice_id), None)

    def after(self, notice: Notice) -> Notice | None:
        """The notice that is next once this one is done."""
        return next((other for other in self.waiting if other.id != notice.id), None)

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
        """One more waits: behind all others, or, if it is urgent, before all but one that is under way."""
        if len(self.waiting) == MOST_WAITING:
            self._abandon(Trouble.TOO_MANY, notice.at, next((place for place, one in enumerate(self.waiting) if not one.urgent), 0))
        self.waiting.append(notice)
        if notice.urgent:
            # What failed before is tried again right after it: who is heard again may take that, too.
            self.waiting[0] = replace(self.waiting[0], next_at=min(self.waiting[0].next_at, notice.at))
            self._put_urgent_first(notice.at)

    def follow(self, event: ControlEvent) -> None:
        """What became of an attempt at a notice, usually the first. One that does not wait any more is left alone."""
        data = event.data
        notice = self.find(data["id"])
        if notice is None:
            return
        place = self.waiting.index(notice)
        if event.type == "notice_claimed":
            self.waiting[place] = replace(notice, attempts=data["attempt"], claimed_until=data["until"])
            return
        seen = replace(notice, claimed_until=0, error=data.get("error"), status=data.get("status"))
        if event.type == "notice_failed":
            self.waiting[place] = replace(seen, next_at=data["next_at"])
            self.failing = self.failing or data["error"] != Trouble.INTERRUPTED
            self._put_urgent_first(event.at)
            return
        delivered = event.type == "notice_delivered"
        self.failing = not delivered
        self._end(replace(seen, state=NoticeState.DELIVERED if delivered else NoticeState.ABANDONED, ended_at=event.at), place)

    def _put_urgent_first(self, now: int) -> None:
        """Behind what is under way come those that are urgent and were never tried. After that one of them is a notice as any other."""
        self.waiting.sort(key=lambda one: 0 if one.claimed_until > now else 1 if one.urgent and one.attempts == 0 else 2)

    def _abandon(self, why: Trouble, at: int, place: int = 0) -> None:
        self._end(replace(self.waiting[place], claimed_until=0, error=why.value, state=NoticeState.ABANDONED, ended_at=at), place)

    def _end(self, notice: Notice, place: int) -> None:
        del self.waiting[place]
        self.done = [*self.done, notice][-KEPT:]
