"""The courier: wakes when a notice is due, claims it so that of several nodes one sends it, and records what became of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from functools import partial
from heapq import heappop, heappush
from typing import Final

import structlog

from dashboards.metrics import NOTICES
from services.clockwork import Clockwork
from services.keys.rings import Rings
from services.notices.attempt import Attempt, Trouble, record
from services.notices.ledger import LINGER_SECONDS, Ledger
from services.notices.line import Line
from services.notices.notice import Notice
from services.notices.notices import Notices
from services.notices.sender import Sender
from services.notices.turns import Turns
from streams.control_log import ControlEvent, ControlLog
from streams.errors import LogUnavailable
from streams.scope import TenantScope

_log = structlog.get_logger(__name__)
_JOB: Final = "notices"
_BY: Final = "tenantry"
_LEASE_MS: Final = 60_000
"""Longer than an attempt takes with all its bounds, and clocks that differ: after it, another node may try."""
_RETRY_MS: Final = 10_000
"""How soon it is tried again when the control log is away, or nothing can sign."""
_LONGEST_MS: Final = 3600 * 1000
"""A wake-up an hour at least while something waits, should the machine's clock have jumped."""
_STOP_SECONDS: Final = 5.0
_IN_A_ROW: Final = 3
"""Notices that a line is told while it has a place: as many as a rotation has."""

_Whom = tuple[str, str]


class Courier:
    """Delivers what waits, at least once. Those whose last attempt failed have places of their own: they delay nobody else."""

    def __init__(
        self,
        notices: Notices,
        rings: Rings,
        control: ControlLog,
        sender: Sender,
        clockwork: Clockwork,
        now: Callable[[], int],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._notices = notices
        self._rings = rings
        self._ledger = Ledger(control)
        self._sender = sender
        self._clockwork = clockwork
        self._now = now
        self._chance = chance
        self._good, self._failing = Turns(64, 8), Turns(16, 4)
        self._due: list[tuple[int, _Whom]] = []
        self._planned: int | None = None
        self._queued: set[_Whom] = set()
        self._running: dict[_Whom, asyncio.Task[bool]] = {}
        self._sending: set[asyncio.Task[Attempt]] = set()
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Sends what is due now, and from then on what becomes due."""
        self._notices.on_change(lambda tenant, name: self._look((tenant, name)))
        for whom in self._notices.waiting():
            self._look(whom)

    async def stop(self) -> None:
        """Sends no more. What is under way is cut off, and said to be, so that the next start need not wait for its lease."""
        self._stopping.set()
        for sending in self._sending:
            sending.cancel()
        if self._running:
            _, late = await asyncio.wait(self._running.values(), timeout=_STOP_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._ledger.close()

    async def wake(self) -> None:
        """Begins with what is due."""
        self._planned = None
        now = self._now()
        while self._due and self._due[0][0] <= now:
            _, whom = heappop(self._due)
            line = self._notices.line(*whom)
            # What has changed since it was planned was planned again, then.
            if line is None or line.head is None or line.head.due_at > now or whom in self._queued or whom in self._running:
                continue
            self._queued.add(whom)
            (self._failing if line.failing else self._good).add(*whom)
        self._begin()
        self._plan()

    def _look(self, whom: _Whom, *, not_before: int = 0) -> None:
        head = self._notices.head(*whom)
        if head is not None and whom not in self._queued and whom not in self._running:
            heappush(self._due, (max(head.due_at, not_before), whom))
            self._plan()

    def _plan(self) -> None:
        if self._due and not self._stopping.is_set():
            when = min(self._due[0][0], self._now() + _LONGEST_MS)
            if self._planned is None or when < self._planned:
                self._planned = when
                self._clockwork.at(_JOB, when, self.wake)

    def _begin(self) -> None:
        for turns in (self._good, self._failing):
            while not self._stopping.is_set() and (whom := turns.take()) is not None:
                self._queued.discard(whom)
                task = self._running[whom] = asyncio.create_task(self._serve(*whom), name="notice")
                task.add_done_callback(partial(self._ended, turns, whom))

    def _ended(self, turns: Turns, whom: _Whom, task: asyncio.Task[bool]) -> None:
        del self._running[whom]
        turns.done(whom[0])
        if self._stopping.is_set() or task.cancelled():
            return
        if (error := task.exception()) is not None:
            trace = None if isinstance(error, LogUnavailable) else error
            _log.warning("notice_not_tried", tenant=whom[0], relying_party=whom[1], error=str(error), exc_info=trace)
        tried = error is None and task.result()
        self._look(whom, not_before=0 if tried else self._now() + _RETRY_MS)
        self._begin()

    async def _serve(self, tenant: str, name: str) -> bool:
        """Attempts at the first notices of the line, until one fails. False: nothing could be done now, though it is due."""
        scope = TenantScope(tenant)
        if self._rings.of(tenant).active is None:
            return False  # nothing signs; this is no attempt
        notice, left = await self._claim(tenant, name), _IN_A_ROW
        while notice is not None:
            line = self._notices.line(tenant, name)
            if line is None or line.webhook is None:
                break  # nobody is to be told any more
            webhook = line.webhook
            attempt, left = await self._sent(scope, name, webhook, notice), left - 1
            if attempt.trouble is not None:
                trouble = {"error": attempt.trouble, "status": attempt.status}
                _log.warning("notice_failed", tenant=tenant, relying_party=name, kid=notice.kid, **trouble)
            notice = await self._record(tenant, name, webhook, notice, attempt, more=left > 0)
        return True

    async def _claim(self, tenant: str, name: str) -> Notice | None:
        """The first notice, if this node is to send it now; appended only if nobody else has claimed it meanwhile."""
        claimed: Notice | None = None

        def decide() -> Sequence[ControlEvent]:
            nonlocal claimed
            claimed, now = None, self._now()
            head = self._notices.head(tenant, name)
            if head is None or head.due_at > now or self._stopping.is_set():
                return []
            claimed = head.claim(now + _LEASE_MS)
            return [_claimed(name, claimed, now)]

        await self._ledger.write(tenant, decide)
        return claimed

    async def _sent(self, scope: TenantScope, name: str, webhook: str, notice: Notice) -> Attempt:
        if self._stopping.is_set():
            return Attempt(Trouble.INTERRUPTED)
        sending = asyncio.create_task(self._sender.send(scope, name, webhook, notice), name="notice-send")
        self._sending.add(sending)
        try:
            return await sending
        except asyncio.CancelledError:
            if not self._stopping.is_set():
                raise
            return Attempt(Trouble.INTERRUPTED)
        finally:
            self._sending.discard(sending)

    async def _record(self, tenant: str, name: str, webhook: str, notice: Notice, sent: Attempt, *, more: bool) -> Notice | None:
        """What became of the notice; with it, if `more` may be sent and it was taken, the next one is claimed, which is the answer.

        What a `webhook` says that the relying party has no more counts for nothing: the new one has not been told.
        """
        claimed: Notice | None = None

        def decide() -> Sequence[ControlEvent]:
            nonlocal claimed
            claimed, now = None, self._now()
            line = self._notices.line(tenant, name)
            known = line.find(notice.id) if line is not None else None
            if line is None or known is None:
                return []  # done by another node, or nobody is to be told any more
            attempt = sent if line.webhook == webhook else Attempt(Trouble.INTERRUPTED)
            if known.attempts != notice.attempts and attempt.trouble is not None:
                return []  # another node is at it, since this one took longer than its lease
            events = [record(notice, name, attempt, now, self._chance())]
            after = line.after(notice)
            if more and attempt.trouble is None and after is not None and self._may_go_on(tenant, line, after, now):
                claimed = after.claim(now + _LEASE_MS)
                events.append(_claimed(name, claimed, now))
            return events

        for event in (await self._ledger.write(tenant, decide, linger=LINGER_SECONDS))[:1]:
            NOTICES.labels(event.type.removeprefix("notice_")).inc()
        return claimed

    def _may_go_on(self, tenant: str, line: Line, after: Notice, now: int) -> bool:
        """Whether the notice after the one that was just taken may be sent at once; a line that failed gets another place first."""
        return after.due_at <= now and not line.failing and not self._stopping.is_set() and self._rings.of(tenant).active is not None


def _claimed(relying_party: str, notice: Notice, now: int) -> ControlEvent:
    data = {"relying_party_id": relying_party, "id": notice.id, "attempt": notice.attempts, "until": notice.claimed_until}
    return ControlEvent(type="notice_claimed", at=now, by=_BY, data=data)
