"""What the console's platform pages ask, each kept for some seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from keyvault.key_store import KeyStore
from services.keys.rings import Rings
from services.keys.scheduler import RotationScheduler
from services.overview.calendar import Calendar, calendar
from services.overview.dead_letters import DeadLetters, dead_letters
from services.overview.health import Finding, health
from services.overview.kept import Kept
from services.overview.replays import Replays
from services.overview.tenants import Glance, glance
from services.settings import Settings
from services.tenants.tenant import Tenants
from streams.control_log import ControlLog
from streams.event_log import EventLog
from streams.processors.backlog import Backlogs
from streams.search_index import SearchIndex

KEPT_SECONDS: Final = 5.0
_KEPT_CALENDAR_SECONDS: Final = 30.0


class Overview:
    """All tenants at once, for operators.

    Attributes:
        tenants: how large and busy each is.
        letters: the dead letters that wait.
        calendar: what is coming to the key rings.
        health: how the engines are.
        replays: the replay of dead letters.
    """

    def __init__(
        self,
        settings: Settings,
        log: EventLog,
        control: ControlLog,
        index: SearchIndex,
        store: KeyStore,
        backlogs: Backlogs,
        tenants: Tenants,
        rings: Rings,
        scheduler: RotationScheduler,
        now: Callable[[], int],
    ) -> None:
        self.tenants: Kept[Glance] = Kept(lambda: glance(log, index, backlogs, tenants, now), KEPT_SECONDS)
        self.letters: Kept[DeadLetters] = Kept(lambda: dead_letters(log), KEPT_SECONDS)
        self.calendar: Kept[Calendar] = Kept(lambda: calendar(tenants, rings, scheduler, now), _KEPT_CALENDAR_SECONDS)
        self.health: Kept[tuple[Finding, ...]] = Kept(lambda: health(settings, log, control, index, store), KEPT_SECONDS)
        self.replays = Replays(log, now, self.letters.forget)

    async def close(self) -> None:
        """Ends what is under way."""
        for kept in (self.tenants, self.letters, self.calendar, self.health):
            await kept.close()
        await self.replays.close()
