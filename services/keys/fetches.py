"""Fetches: notes in the log when a relying party first fetches a standby from its own URL. Serving never waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from keyvault.events import JwksFetched
from services.keys.rings import Rings, control_event
from streams.control_log import ControlEvent, ControlLog

_log = structlog.get_logger(__name__)
_BY: Final = "tenantry"
_MOST_WAITING: Final = 10_000
"""Fetches that are being noted. What is beyond is noted when it is fetched again, as it is every few minutes."""


class Fetches:
    """One control event for each relying party and standby, however often it is fetched."""

    def __init__(self, control: ControlLog, rings: Rings, now: Callable[[], int]) -> None:
        self._control = control
        self._rings = rings
        self._now = now
        self._noting: dict[tuple[str, str, str], asyncio.Task[None]] = {}

    def note(self, tenant: str, relying_party: str) -> None:
        """The relying party was just answered the tenant's JWKS of now, or told that it has it already."""
        ring = self._rings.of(tenant)
        standby = ring.standby
        if standby is None or any((fetch.relying_party, fetch.kid) == (relying_party, standby.kid) for fetch in ring.fetches):
            return
        which = (tenant, relying_party, standby.kid)
        if which not in self._noting and len(self._noting) < _MOST_WAITING:
            self._noting[which] = asyncio.create_task(self._note(*which, self._now()), name="note-fetch")

    async def settled(self) -> None:
        """Returns when everything that was noted by now is in the log, or could not be."""
        while self._noting:
            await asyncio.wait(set(self._noting.values()))

    async def _note(self, tenant: str, relying_party: str, kid: str, now: int) -> None:
        async def decide() -> Sequence[ControlEvent]:
            ring = self._rings.of(tenant)
            known = any(party.id == relying_party for party in ring.relying_parties)
            seen = any((fetch.relying_party, fetch.kid) == (relying_party, kid) for fetch in ring.fetches)
            if not known or seen or ring.standby is None or ring.standby.kid != kid:
                return []
            event = JwksFetched(at=max(now, ring.changed_at), relying_party=relying_party, kid=kid)
            return [control_event(event, _BY, None)]

        try:
            await self._control.commit(tenant, decide)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is noted at the next fetch
            _log.warning("fetch_not_noted", tenant=tenant, relying_party=relying_party, error=str(error))
        finally:
            del self._noting[(tenant, relying_party, kid)]
