"""Delivery: all that takes a notice to its webhook, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from keyvault.key_store import KeyStore
from services.clockwork import Clockwork
from services.keys.rings import Rings
from services.notices.courier import Courier
from services.notices.notices import Notices
from services.notices.sender import Sender
from services.outbound.client import Outbound
from services.tenants.tenant import Tenants
from streams.control_log import ControlLog


@asynccontextmanager
async def delivery(
    notices: Notices,
    rings: Rings,
    tenants: Tenants,
    control: ControlLog,
    store: KeyStore,
    outbound: Outbound,
    clockwork: Clockwork,
    issuer_base: str,
    now: Callable[[], int],
) -> AsyncIterator[None]:
    """Notices are delivered while the context is open."""
    sender = Sender(store, rings, tenants, outbound, issuer_base, now)
    courier = Courier(notices, rings, control, sender, clockwork, now)
    courier.start()
    try:
        yield
    finally:
        await courier.stop()
