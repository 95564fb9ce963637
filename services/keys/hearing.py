"""Hearing: when this node last had everything that is in the control log, and for how long it may sign without.

A node that is cut off does not hear that a key was compromised. What it signs with that key then, relying parties refuse that have fetched
the JWKS elsewhere; and by the time every cache of the old JWKS has ended, all of them do. So it had better say that it can't sign: then
whoever asks can go to a node that hears.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Final

import structlog

from keyvault.durations import MINUTE
from keyvault.policy import Policy
from services.errors import CutOff
from streams.control_log import ControlLog
from streams.errors import StreamsError

_log = structlog.get_logger(__name__)
_EVERY_SECONDS: Final = 10.0
_PATIENCE_SECONDS: Final = 10.0
_LEAST_MS: Final = 1 * MINUTE
"""Shorter interruptions of the log are ordinary, and heard late: between two questions, and while one waits for its answer."""


def signs_unheard_for(policy: Policy) -> int:
    """How many milliseconds a node may sign by what it has last heard: until no cache has the JWKS of then, by the rules."""
    return max(policy.jwks_max_age + policy.clock_skew, _LEAST_MS)


class Hearing:
    """Asks the control log again and again whether there is more. Until it is started it takes all to be heard, as an embedded log is."""

    def __init__(self, control: ControlLog, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds, and is never set back."""
        self._control = control
        self._clock = clock
        self._heard_at: float | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins; the control log has been read to its end just before."""
        self._heard_at = self._clock()
        self._task = asyncio.create_task(self._listen(), name="hearing")

    async def stop(self) -> None:
        """Asks no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def listen(self) -> bool:
        """Asks once; whether this node has now everything that was in the log."""
        asked = self._clock()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._control.catch_up()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the next question may be answered
            known = isinstance(error, (StreamsError, TimeoutError))
            _log.warning("control_log_not_heard", error=str(error) or "no answer in time", exc_info=not known)
            return False
        self._heard_at = asked
        return True

    def check(self, policy: Policy) -> None:
        """Returns if a tenant with this policy may have tokens signed here.

        Raises:
            CutOff: this node has not heard from the control log for too long, or can't read it any more.
        """
        if (failure := self._control.failure) is not None:
            raise CutOff(f"this node can't read the control log any more ({failure}); ask another one, and upgrade this one")
        if self._heard_at is None:
            return
        unheard = self._clock() - self._heard_at
        if unheard * 1000 > signs_unheard_for(policy):
            raise CutOff(
                f"this node has heard nothing from the control log for {unheard:.0f} s, so it can't know whether its key is still good; "
                "ask another node, or see to its connection with the log"
            )

    async def _listen(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            await self.listen()
