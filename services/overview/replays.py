"""The replay of the dead letters as work that goes on by itself: whoever began it may look how far it has come, or leave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from services.events.revival import GROUP, Revived, revive
from streams.errors import Overtaken, StreamsError
from streams.event_log import DEAD_LETTERS, EventLog

_log = structlog.get_logger(__name__)
_STOPPED: Final = "the service was stopped"


@dataclass(slots=True)
class Replay:
    """A replay; times are epoch milliseconds.

    Attributes:
        by: who began it.
        total: how many letters there were to pass when it began; on Kafka somewhat less than the places counted.
        done: what became of them so far.
        ended_at: None while it goes on.
        failure: why it ended early; empty if it did not.
    """

    by: str
    at: int
    total: int
    done: Revived = field(default_factory=Revived)
    ended_at: int | None = None
    failure: str = ""

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.ended_at is None


class Replays:
    """Replays the dead letters, one replay at a time in this process. Of two at once on several nodes, one gives way to the other.

    Attributes:
        last: the one that goes on, or the last one that this process has carried out.
    """

    def __init__(self, log: EventLog, now: Callable[[], int], over: Callable[[], None] = lambda: None) -> None:
        """`over` is called when a replay has ended."""
        self._log = log
        self._now = now
        self._over = over
        self._task: asyncio.Task[None] | None = None
        self._beginning = asyncio.Lock()
        self.last: Replay | None = None

    async def begin(self, by: str) -> Replay:
        """Begins a replay of all that wait now, or answers the one that goes on.

        Raises:
            LogUnavailable: the log can't be asked now.
        """
        async with self._beginning:
            if self.last is not None and self.last.running:
                return self.last
            cursors, ends = await self._log.cursors(DEAD_LETTERS, GROUP), await self._log.ends(DEAD_LETTERS)
            total = sum(max(0, end - cursors.get(partition, 0)) for partition, end in ends.items())
            self.last = Replay(by, self._now(), total)
            self._task = asyncio.create_task(self._run(self.last), name="replay-dead-letters")
            return self.last

    async def close(self) -> None:
        """Ends the one under way; what it has not passed waits for the next one."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            if self.last is not None and self.last.running:  # it had not even begun
                self.last.ended_at, self.last.failure = self._now(), _STOPPED

    async def _run(self, replay: Replay) -> None:
        def progress(done: Revived) -> None:
            replay.done = done

        try:
            await revive(self._log, progress)
        except Overtaken:
            replay.failure = "somebody else replays the dead letters at the same time, and goes on with it"
        except StreamsError as error:
            replay.failure = str(error)
        except asyncio.CancelledError:
            replay.failure = _STOPPED
            raise
        except Exception as error:  # noqa: BLE001 -- nobody awaits it, so it is told here
            replay.failure = "a fault of the service; its log says more"
            _log.error("replay_failed", exc_info=error)
        finally:
            replay.ended_at = self._now()
            self._over()
            done = replay.done
            _log.info(
                "dead_letters_replayed", by=replay.by, revived=done.revived, kept=done.kept, cut=done.cut, failure=replay.failure or None
            )
