"""The tenants' key rings, folded from the control log: each from its tenant's events, and from the waves that ask something of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from keyvault import events
from keyvault.ring import Ring
from keyvault.wave import Request
from streams.control_log import ControlEvent, Projection


class Rings(Projection):
    """All key rings, by tenant."""

    def __init__(self) -> None:
        self._rings: dict[str, Ring] = {}
        self._listeners: list[Callable[[str], None]] = []

    def apply(self, key: str, event: ControlEvent) -> None:
        """Folds the key events (`keyvault.events`)."""
        found = key_event(event)
        if found is not None:
            self._rings[key] = self.of(key).apply(found)
        if found is not None or event.type == "tenant_created":
            self._tell(key)

    def ask(self, tenant: str, request: Request) -> None:
        """Puts a wave's request to the tenant's ring, unless it has rotated since the wave began."""
        self._become(tenant, self.of(tenant).ask(request))

    def release(self, tenant: str, wave: str) -> None:
        """Takes the wave's request back, if the ring still has it."""
        self._become(tenant, self.of(tenant).release(wave))

    def of(self, tenant: str) -> Ring:
        """The tenant's ring; the same object until an event changes it."""
        return self._rings.get(tenant) or _EMPTY

    def on_change(self, listener: Callable[[str], None]) -> None:
        """Tells the listener the tenant of every ring that has changed, and of every new tenant, whose ring needs its first keys."""
        self._listeners.append(listener)

    def _become(self, tenant: str, ring: Ring) -> None:
        if ring is not self.of(tenant):
            self._rings[tenant] = ring
            self._tell(tenant)

    def _tell(self, tenant: str) -> None:
        # Later, not here: a listener's error is no error of the fold.
        for listener in self._listeners:
            asyncio.get_running_loop().call_soon(listener, tenant)


def key_event(event: ControlEvent) -> events.KeyEvent | None:
    """The control event as a key event, or None if it is something else."""
    if event.type not in events.TYPES:
        return None
    return events.decode({**event.data, "type": event.type, "at": event.at})


def control_event(event: events.KeyEvent, by: str, command: str | None) -> ControlEvent:
    """The key event as a control event; `key_event` is the inverse."""
    data = events.encode(event)
    return ControlEvent(type=data.pop("type"), at=data.pop("at"), by=by, data=data, command=command)


_EMPTY = Ring.empty()
