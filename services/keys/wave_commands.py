"""What an operator does with waves: begin one, stop it. Whether one has come to its end, each node looks by itself."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from typing import Final

from keyvault import wave as planning
from keyvault.due import soonest
from keyvault.rate import Rate
from services.errors import Conflict, Invalid, NotFound, Reused
from services.keys.rings import Rings
from services.keys.scheduler import RotationScheduler
from services.keys.wave_progress import Progress, progress
from services.keys.waves import WAVES, Wave, Waves, ended, started
from services.tenants.tenant import Tenants
from streams.control_log import ControlEvent, ControlLog

_BY_ITSELF: Final = "tenantry"


class WaveCommands:
    """Decides on waves. Carrying them out is the scheduler's: it asks `due` of each ring, which knows what the wave wants of it."""

    def __init__(
        self,
        control: ControlLog,
        waves: Waves,
        rings: Rings,
        tenants: Tenants,
        scheduler: RotationScheduler,
        now: Callable[[], int],
    ) -> None:
        self._control = control
        self._waves = waves
        self._rings = rings
        self._tenants = tenants
        self._scheduler = scheduler
        self._now = now

    async def start(self, rate: Rate, jitter: float, reason: str, tenants: Sequence[str] | None, *, by: str, command: str | None) -> Wave:
        """Begins a wave.

        Args:
            rate: how many tenants rotate in how much time.
            jitter: the part of its slot that each turn may move by, from 0 to 1.
            reason: why, for the log; may be empty.
            tenants: whom it is for; None: for all there are.
            by: the operator.
            command: the `Idempotency-Key`: with the same one again, the answer is the wave that it began.

        Raises:
            Conflict: another wave runs.
            Invalid: there is no tenant that is named, or none at all, or the `Idempotency-Key` is no such.
            InvalidWave: the jitter is none.
            Reused: the `Idempotency-Key` began another wave.
        """
        if command is not None and not 0 < len(command) <= 255:
            raise Invalid("Idempotency-Key must have 1 to 255 characters")
        asked = "\n".join([str(rate), str(jitter), reason, *(sorted(set(tenants)) if tenants is not None else "*")])
        stamp = f"wave {hashlib.sha256(asked.encode()).hexdigest()[:16]}\n{command}" if command is not None else None
        found: Wave | None = None

        async def decide() -> Sequence[ControlEvent]:
            nonlocal found
            if (found := self._begun(command, stamp)) is not None:
                return []
            now = self._now()
            events: list[ControlEvent] = []
            if (open_ := self._waves.open) is not None:
                events.append(self._end(open_, now))
            chosen = self._chosen(tenants)
            identifier = f"w{secrets.token_hex(6)}"
            earliest = {one: soonest(ring, ring.policy, now) for one in chosen for ring in (self._rings.of(one),)}
            # After now: by its time alone a rotation is told to be after the wave began.
            turns = planning.plan(earliest, rate, starts_at=now + 1, jitter=jitter, seed=identifier)
            found = Wave(identifier, now, by, rate, jitter, reason, len(turns), stamp, turns)
            return [*events, *started(found)]

        await self._control.commit(WAVES, decide)
        assert found is not None, "commit decides"
        return self.find(found.id)

    async def stop(self, identifier: str, *, by: str) -> Wave:
        """Stops a wave: whoever has not rotated goes on as without it. One that has ended stays as it is.

        Raises:
            NotFound: there is no such wave.
        """

        async def decide() -> Sequence[ControlEvent]:
            wave = self.find(identifier)
            if wave.ended is not None:
                return []
            state = self.progress(wave)
            if not state.left:
                return [self._end(wave, self._now())]
            counts = {"done": state.done, "gone": state.gone, "released": state.left}
            return [ended(wave, "stopped", counts, by, self._now())]

        await self._control.commit(WAVES, decide)
        return self.find(identifier)

    async def finish(self) -> None:
        """Writes down the end of a wave that has come to it. Any number of nodes may do so."""

        async def decide() -> Sequence[ControlEvent]:
            wave = self._waves.open
            return [self._end(wave, self._now())] if wave is not None and not self.progress(wave).left else []

        wave = self._waves.open
        if wave is not None and not self.progress(wave).left:
            await self._control.commit(WAVES, decide)

    def find(self, identifier: str) -> Wave:
        """The wave.

        Raises:
            NotFound: there is none.
        """
        if (wave := self._waves.find(identifier)) is None:
            raise NotFound(f"there is no wave {identifier[:100]!r}")
        return wave

    def all(self) -> Sequence[Wave]:
        """Every wave, the newest first."""
        return self._waves.all()

    def progress(self, wave: Wave) -> Progress:
        """How far it has come."""
        return progress(wave, self._rings, self._tenants, self._now(), self._scheduler.trouble)

    def _end(self, wave: Wave, now: int) -> ControlEvent:
        state = self.progress(wave)
        if state.left:
            raise Conflict(
                f"wave {wave.id} is running, with {state.left} of {wave.tenants} tenants to go; wait for its end, or stop it first: "
                "two at once would exceed the rate of each"
            )
        return ended(wave, "finished", {"done": state.done, "gone": state.gone}, _BY_ITSELF, now)

    def _begun(self, command: str | None, stamp: str | None) -> Wave | None:
        """The wave that the same command has begun."""
        for wave in self._waves.all() if command is not None else ():
            if wave.command is not None and wave.command.partition("\n")[2] == command:
                if wave.command != stamp:
                    raise Reused(f"Idempotency-Key {command!r} was used for another wave; take a new key for a new request")
                return wave
        return None

    def _chosen(self, tenants: Sequence[str] | None) -> Sequence[str]:
        if tenants is None:
            return [tenant.id for tenant in self._tenants.all()]
        if unknown := sorted({tenant for tenant in tenants if not self._tenants.exists(tenant)}):
            more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
            raise Invalid(f"tenants: there is no {', '.join(repr(tenant[:70]) for tenant in unknown[:5])}{more}")
        return sorted(set(tenants))
