"""Nodes of the key service without search indexes: on one log and one key store, any number of them, with thousands of tenants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from keyvault import events
from keyvault.algorithms import PrivateKey
from keyvault.jwk import PublicJwk
from keyvault.key_store import KeyName, KeyStore
from keyvault.policy import Policy
from keyvault.ring import Ring
from keyvault.store_file import FileKeyStore
from services.access.principal import Principal
from services.access.scopes import Scope
from services.access.tokens import Tokens
from services.clockwork import Clockwork
from services.keys.approval_commands import ApprovalCommands
from services.keys.custodian import Custodian
from services.keys.fetches import Fetches
from services.keys.publication import Publication
from services.keys.rings import Rings, control_event
from services.keys.scheduler import RotationScheduler
from services.keys.seen_commands import Commands
from services.keys.wave_commands import WaveCommands
from services.keys.wave_progress import Progress
from services.keys.waves import Wave, Waves
from services.parts import now_ms
from services.tenants.commands import delete
from services.tenants.domains import Domains
from services.tenants.tenant import Tenants
from streams.control_log import ControlEvent, ControlLog
from streams.event_log import CONTROL, EventLog, NewRecord
from streams.log_sqlite import SqliteEventLog
from streams.scope import TenantScope

T = TypeVar("T")
FAST: Final = Policy.parse(
    {"algorithm": "EdDSA", "rotation_period": "P90D", "publish_ahead": "PT2S", "clock_skew": "PT0S", "jwks_max_age": "PT1S"}
)
"""A standby may sign after two seconds; an old key stays for an hour."""


async def register(log: EventLog, tenants: Iterable[str], policy: Policy = FAST, *, clock: Callable[[], int] = now_ms) -> None:
    """Registers the tenants, as the API does, and sets their policies."""
    now = clock()
    records = []
    for tenant in tenants:
        created = ControlEvent(type="tenant_created", at=now, by="test", data={"display_name": tenant, "issuer": None})
        changed = control_event(events.PolicyChanged(at=now, policy=policy), "test", None)
        records += [NewRecord(CONTROL, msgspec.json.encode(event), tenant) for event in (created, changed)]
    await log.append(records)


class WatchedStore(KeyStore):
    """A key store, and how much is asked of it at once. For the tenants in `broken` it fails, for those in `hanging` it does not answer."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store
        self._now = 0
        self.most = 0
        self.broken: dict[str, Exception] = {}
        self.hanging: dict[str, asyncio.Event] = {}

    async def create(self, name: KeyName) -> PublicJwk:
        return await self._watched(name, self._store.create)

    async def adopt(self, name: KeyName, private: PrivateKey) -> PublicJwk:
        return await self._watched(name, lambda name: self._store.adopt(name, private))

    async def public_key(self, name: KeyName) -> PublicJwk:
        return await self._watched(name, self._store.public_key)

    async def sign(self, name: KeyName, messages: Sequence[bytes]) -> Sequence[bytes]:
        return await self._store.sign(name, messages)

    async def destroy(self, name: KeyName) -> None:
        await self._watched(name, self._store.destroy)

    async def close(self) -> None:
        await self._store.close()

    async def _watched(self, name: KeyName, call: Callable[[KeyName], Awaitable[T]]) -> T:
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            if (answering := self.hanging.get(name.scope.tenant)) is not None:
                await answering.wait()
            if (error := self.broken.get(name.scope.tenant)) is not None:
                raise error
            return await call(name)
        finally:
            self._now -= 1


@asynccontextmanager
async def engines(directory: Path) -> AsyncIterator[tuple[EventLog, WatchedStore]]:
    """An event log and a key store in the directory."""
    log = SqliteEventLog(directory / "log.sqlite")
    store = WatchedStore(FileKeyStore.open(directory / "keys", master_key_file=directory / "master.key"))
    try:
        yield log, store
    finally:
        await store.close()
        await log.close()


@dataclass(kw_only=True)
class Node:
    """A node, running."""

    control: ControlLog
    tenants: Tenants
    rings: Rings
    custodian: Custodian
    approvals: ApprovalCommands
    scheduler: RotationScheduler
    waves: WaveCommands
    publication: Publication
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, reached: Callable[[], bool], seconds: float = 120) -> None:
        """Returns once it is so; looked at after each change of a ring."""
        self.rings.on_change(lambda _: self._moved.set())
        async with asyncio.timeout(seconds):
            while not reached():
                await self._moved.wait()
                self._moved.clear()

    async def each(self, reached: Callable[[Ring], object], seconds: float = 120) -> None:
        """Returns once it is so for every tenant's ring, looking only at those that change."""
        left = {tenant.id for tenant in self.tenants.all() if not reached(self.rings.of(tenant.id))}
        over = asyncio.Event()

        def look(tenant: str) -> None:
            if reached(self.rings.of(tenant)):
                left.discard(tenant)
            if not left:
                over.set()

        self.rings.on_change(look)
        async with asyncio.timeout(seconds):
            if left:
                await over.wait()

    async def delete(self, tenant: str) -> None:
        """Deletes a tenant, as an operator does."""
        operator = Principal("operator:test", "test", None, frozenset(Scope))
        await delete(self.control, self.tenants, TenantScope(tenant), operator, now_ms())

    async def settled(self, seconds: float = 120) -> None:
        """Returns once every tenant has an active key and a standby."""
        await self.each(lambda ring: ring.active and ring.standby, seconds)

    def progress(self, wave: Wave) -> Progress:
        """How far the wave has come, as this node sees it."""
        return self.waves.progress(self.waves.find(wave.id))


@asynccontextmanager
async def node(log: EventLog, store: KeyStore, *, clock: Callable[[], int] = now_ms, schedules: bool = True) -> AsyncIterator[Node]:
    """A node on this log and this key store; `schedules` says whether it carries out what is due."""
    async with AsyncExitStack() as stack:
        tenants, tokens, rings, seen = Tenants(), Tokens(), Rings(), Commands()
        waves = Waves(rings)
        control = ControlLog(log, (tenants, tokens, rings, waves, seen))
        stack.push_async_callback(control.stop)
        await control.start()
        clockwork = Clockwork()
        clockwork.start()
        stack.callback(clockwork.stop)
        custodian = Custodian(log, control, rings, seen, tenants, tokens, store, clock)
        scheduler = RotationScheduler(tenants, rings, custodian, clockwork, clock)
        if schedules:
            scheduler.start()
            stack.push_async_callback(scheduler.stop)
        yield Node(
            control=control,
            tenants=tenants,
            rings=rings,
            custodian=custodian,
            approvals=ApprovalCommands(custodian, tokens),
            scheduler=scheduler,
            waves=WaveCommands(control, waves, rings, tenants, scheduler, clock),
            publication=Publication(tenants, Domains(), rings, Fetches(control, rings, clock), "https://test"),
        )
