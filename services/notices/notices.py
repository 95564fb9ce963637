"""The notices of all tenants, folded from the control log: each key event, for each relying party that had a webhook then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from services.notices.line import Line
from services.notices.notice import TOLD, Notice, notice_id
from streams.control_log import ControlEvent, Projection

_FOLLOWED: Final = frozenset({"notice_claimed", "notice_delivered", "notice_failed", "notice_abandoned"})

Listener = Callable[[str, str], None]
"""Is told the tenant and the relying party whose line has changed."""


class Notices(Projection):
    """The lines of notices, by tenant and relying party."""

    def __init__(self) -> None:
        self._lines: dict[str, dict[str, Line]] = {}
        self._listeners: list[Listener] = []

    def apply(self, key: str, event: ControlEvent) -> None:
        """Folds key events, relying parties, and the notices' own events."""
        lines = self._lines.get(key, {})
        if event.type in TOLD:
            for name, line in lines.items():
                if line.webhook is not None:
                    self._queue(key, name, line, event)
        elif event.type in _FOLLOWED:
            name = event.data["relying_party_id"]
            if (followed := lines.get(name)) is not None:
                followed.follow(event)
                self._tell(key, name)
        elif event.type == "relying_party_registered":
            given = event.data["relying_party"]
            registered = self._lines.setdefault(key, {}).setdefault(given["id"], Line())
            registered.move(given.get("webhook"), event.at)
            self._tell(key, given["id"])
        elif event.type == "relying_party_removed":
            lines.pop(event.data["id"], None)
        elif event.type == "tenant_deleted":
            self._lines.pop(key, None)

    def head(self, tenant: str, relying_party: str) -> Notice | None:
        """The notice that the relying party is told next; None if nothing waits."""
        line = self.line(tenant, relying_party)
        return line.head if line is not None else None

    def line(self, tenant: str, relying_party: str) -> Line | None:
        """The relying party's line; None if there is no such relying party."""
        return self._lines.get(tenant, {}).get(relying_party)

    def of(self, tenant: str, relying_party: str) -> Sequence[Notice] | None:
        """What waits for the relying party and what lately did, newest first; None if there is no such relying party."""
        line = self.line(tenant, relying_party)
        return line.all if line is not None else None

    def waiting(self) -> Iterator[tuple[str, str]]:
        """The tenants and relying parties for whom something waits."""
        for tenant, lines in self._lines.items():
            for name, line in lines.items():
                if line.waiting:
                    yield tenant, name

    def on_change(self, listener: Listener) -> None:
        """Tells the listener of each line that has changed."""
        self._listeners.append(listener)

    def _queue(self, tenant: str, name: str, line: Line, event: ControlEvent) -> None:
        kid = event.data["kid"]
        line.add(Notice(id=notice_id(tenant, name, event.type, kid, event.at), event=event.type, kid=kid, at=event.at, next_at=event.at))
        self._tell(tenant, name)

    def _tell(self, tenant: str, name: str) -> None:
        # Later, not here: a listener's error is no error of the fold.
        for listener in self._listeners:
            asyncio.get_running_loop().call_soon(listener, tenant, name)
