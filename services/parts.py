"""The parts that `services.bootstrap` puts together, and the housekeeping that goes on beside them."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from typing import Final

import structlog

from keyvault.errors import KeyStoreError
from services.clockwork import Clockwork
from services.engines import alone, make_data, open_direct_access, shared
from services.keys.ended_keys import EndedKeys
from services.keys.hearing import Hearing
from services.lock import DataLock
from services.preparation import Preparation
from services.settings import Settings
from services.tenants.forgetting import Forgetting
from services.tenants.tenant import Tenants
from streams.control_log import ControlLog, Projection
from streams.direct_access import DirectAccess
from streams.errors import StreamsError
from streams.event_log import IDP_EVENTS, EventLog
from streams.log_sqlite import SqliteEventLog
from streams.processors.backlog import Backlogs
from streams.processors.catch_up import CatchUp
from streams.processors.index import IndexProcessor
from streams.router import Router
from streams.runner import Runner
from streams.scope import TenantScope

_log = structlog.get_logger(__name__)
_RETENTION_MS: Final = 7 * 24 * 3600 * 1000
_DELETIONS_EVERY_SECONDS: Final = 600


def now_ms() -> int:
    """The time, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def claim(settings: Settings, stack: AsyncExitStack) -> None:
    """Makes the data directory and, where only one process may work on it, locks it while the stack is open.

    Raises:
        AlreadyRunning: another process works on it.
    """
    make_data(settings)
    if alone(settings):
        stack.enter_context(DataLock(settings.data))


async def control_log(log: EventLog, stack: AsyncExitStack, backlogs: Backlogs, *projections: Projection) -> ControlLog:
    """The control log, read to its end into these projections, and followed while the stack is open."""
    control = ControlLog(log, (backlogs, *projections))
    backlogs.attach(control)
    stack.push_async_callback(control.stop)
    await control.start()
    return control


def direct_access(settings: Settings, stack: AsyncExitStack) -> DirectAccess | None:
    """What makes users of the search engine itself, or None if the engine has none."""
    access = open_direct_access(settings)
    if access is not None:
        stack.push_async_callback(access.close)
    return access


def clockwork(stack: AsyncExitStack) -> Clockwork:
    """The clockwork, running while the stack is open."""
    running = Clockwork()
    running.start()
    stack.callback(running.stop)
    return running


def finish_deletions(forgetting: Forgetting, tenants: Tenants, clockwork: Clockwork) -> None:
    """Now, and by and by, goes on with the deletions that could not be finished. Nobody waits for it: the engine may still be away."""

    async def finish() -> None:
        for tenant in tenants.unfinished():
            try:
                await forgetting.forget(TenantScope(tenant.id), "tenantry", now_ms())
            except StreamsError as error:
                _log.warning("tenant_not_forgotten", tenant=tenant.id, error=str(error))

    if tenants.unfinished():
        clockwork.at("unfinished deletions", now_ms(), finish)
    clockwork.every("unfinished deletions, again", _DELETIONS_EVERY_SECONDS, finish)


def finish_destructions(ended_keys: EndedKeys, tenants: Tenants, clockwork: Clockwork) -> None:
    """Now, and by and by, destroys the private keys that deleted tenants may still have. The key store may be away, too."""

    async def finish() -> None:
        for tenant in tenants.with_keys():
            try:
                await ended_keys.destroy(TenantScope(tenant.id), "tenantry")
            except (KeyStoreError, StreamsError) as error:
                _log.warning("keys_not_destroyed", tenant=tenant.id, error=str(error))

    if tenants.with_keys():
        clockwork.at("keys of deleted tenants", now_ms(), finish)
    clockwork.every("keys of deleted tenants, again", _DELETIONS_EVERY_SECONDS, finish)


def backlogs(settings: Settings) -> Backlogs:
    """The backlogs of the index."""
    # Alone, it goes on at once with what it claimed before a crash: there is nobody else who could be at it.
    return Backlogs("alone" if alone(settings) else "")


def preparation(processor: IndexProcessor, catch_up: CatchUp, tenants: Tenants, stack: AsyncExitStack, settings: Settings) -> Preparation:
    """The preparation of indexes, under way while the stack is open, where this process is the only one that has them."""
    found = Preparation(processor, catch_up, tenants)
    if alone(settings):
        found.start(rebuild=not settings.process)
        stack.push_async_callback(found.stop)
    return found


def process(runner: Runner, catch_up: CatchUp, stack: AsyncExitStack) -> None:
    """Processes while the stack is open."""
    runner.start()
    catch_up.start()
    stack.push_async_callback(runner.stop)
    stack.push_async_callback(catch_up.stop)


def hearing(control: ControlLog, settings: Settings, stack: AsyncExitStack) -> Hearing:
    """What says whether this node hears the control log; an embedded one it has in its own hands."""
    found = Hearing(control)
    if shared(settings) and not settings.sign_unheard:
        found.start()
        stack.push_async_callback(found.stop)
    return found


async def trim(log: EventLog) -> None:
    """Raw events that are in their tenants' logs are kept for a week more, as Kafka keeps them by its topics' retention."""
    if isinstance(log, SqliteEventLog):
        removed = await log.trim(IDP_EVENTS, group=Router.name, before=now_ms() - _RETENTION_MS)
        _log.info("raw_events_trimmed", records=removed)
