"""The one place that picks adapters, by the scheme of a URL, and puts everything together."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import structlog

from keyvault.key_store import KeyStore
from keyvault.store_file import FileKeyStore
from services.access.installation import Installation, ensure_installation
from services.access.operator import ensure_operator
from services.access.tokens import Tokens
from services.audit import Audit, AuditProcessor
from services.clockwork import Clockwork
from services.errors import SettingsError
from services.events.ingest import Ingest
from services.events.search import Search
from services.keys.custodian import Commands, Custodian
from services.keys.publication import Publication
from services.keys.rings import Rings
from services.keys.scheduler import RotationScheduler
from services.lock import DataLock
from services.platform import Platform
from services.settings import Settings
from services.tenants.sources import Sources
from services.tenants.tenant import Tenants
from streams.control_log import ControlLog
from streams.errors import SearchIndexError
from streams.event_log import IDP_EVENTS, EventLog
from streams.index_tantivy.index import TantivyIndex
from streams.log_sqlite import SqliteEventLog
from streams.processors.index import IndexProcessor
from streams.router import Router
from streams.runner import EmbeddedRunner
from streams.scope import TenantScope
from streams.search_index import SearchIndex

_log = structlog.get_logger(__name__)
_PRIVATE: Final = 0o700
_RETENTION_MS: Final = 7 * 24 * 3600 * 1000
_RETENTION_EVERY_SECONDS: Final = 3600


def now_ms() -> int:
    """The time, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def open_log(settings: Settings) -> EventLog:
    """The event log of the settings.

    Raises:
        SettingsError: TENANTRY_LOG_URL names none.
        LogUnavailable: it can't be opened.
    """
    path = _path("LOG", settings.log_url, "sqlite", settings.data / "log.sqlite")
    _make(path.parent)
    return SqliteEventLog(path)


def open_index(settings: Settings) -> SearchIndex:
    """The search index of the settings.

    Raises:
        SettingsError: TENANTRY_INDEX_URL names none.
    """
    path = _path("INDEX", settings.index_url, "file", settings.data / "index")
    _make(path)
    return TantivyIndex(path)


def open_store(settings: Settings) -> KeyStore:
    """The key store of the settings.

    Raises:
        SettingsError: TENANTRY_KEYS_URL names none.
        MasterKeyError: the master key is missing, or does not fit.
        KeyStoreUnavailable: it can't be opened.
    """
    path = _path("KEYS", settings.keys_url, "file", settings.data / "keys")
    _make(path.parent)
    text = settings.master_key.get_secret_value() if settings.master_key is not None else None
    return FileKeyStore.open(path, master_key_file=settings.master_key_file or settings.data / "master.key", master_key_text=text)


@asynccontextmanager
async def start(settings: Settings) -> AsyncIterator[Platform]:
    """The platform, running, until the context is left.

    Raises:
        AlreadyRunning: another process works on the data directory.
        SettingsError: a setting can't work.
        ControlError: the control log holds something that this version can't read.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(DataLock(settings.data))
        log = open_log(settings)
        stack.push_async_callback(log.close)
        index = open_index(settings)
        stack.push_async_callback(index.close)
        store = open_store(settings)
        stack.push_async_callback(store.close)

        tenants, sources, tokens, rings, seen, installation = Tenants(), Sources(), Tokens(), Rings(), Commands(), Installation()
        control = ControlLog(log, (tenants, sources, tokens, rings, seen, installation))
        stack.push_async_callback(control.stop)
        await control.start()
        await ensure_installation(control, installation, now_ms())
        await ensure_operator(control, tokens, settings.operator_token_file, now_ms())

        custodian = Custodian(log, control, rings, seen, tenants, store, now_ms)
        processor = IndexProcessor(log, index, exists=tenants.exists)
        for tenant in tenants.all():
            try:
                await processor.prepare(TenantScope(tenant.id))
            except SearchIndexError as error:
                # One tenant's broken index must keep nobody else, and no JWKS, from being served.
                _log.error("index_unavailable", tenant=tenant.id, error=str(error))
        runner = EmbeddedRunner(log, (Router(sources.map, tenants.exists), AuditProcessor(), processor))
        runner.start()
        stack.push_async_callback(runner.stop)
        clockwork = Clockwork()
        clockwork.start()
        stack.callback(clockwork.stop)
        clockwork.every("retention", _RETENTION_EVERY_SECONDS, lambda: _trim(log))
        scheduler = RotationScheduler(tenants, rings, custodian, clockwork, now_ms)
        scheduler.start()
        stack.push_async_callback(scheduler.stop)
        yield Platform(
            settings=settings,
            now=now_ms,
            log=log,
            index=index,
            store=store,
            control=control,
            tenants=tenants,
            sources=sources,
            tokens=tokens,
            rings=rings,
            custodian=custodian,
            publication=Publication(tenants, rings, settings.issuer_base),
            scheduler=scheduler,
            processor=processor,
            runner=runner,
            search=Search(index, processor, installation.cursor_key),
            ingest=Ingest(log, sources.map),
            audit=Audit(log),
        )


@dataclass(frozen=True, slots=True)
class Worker:
    """What a command has while it does the work itself."""

    index: SearchIndex
    tenants: Tenants


@asynccontextmanager
async def embedded_worker(settings: Settings, log: EventLog) -> AsyncIterator[Worker]:
    """Router and index processor alone, while the context is open: for commands that wait when nobody serves.

    Raises:
        AlreadyRunning: somebody serves.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(DataLock(settings.data))
        index = open_index(settings)
        stack.push_async_callback(index.close)
        tenants, sources = Tenants(), Sources()
        control = ControlLog(log, (tenants, sources))
        stack.push_async_callback(control.stop)
        await control.start()
        processors = (Router(sources.map, tenants.exists), AuditProcessor(), IndexProcessor(log, index, exists=tenants.exists))
        runner = EmbeddedRunner(log, processors)
        runner.start()
        stack.push_async_callback(runner.stop)
        yield Worker(index, tenants)


async def _trim(log: EventLog) -> None:
    """Raw events that are in their tenants' logs are kept for a week more, as Kafka keeps them by its topics' retention."""
    if isinstance(log, SqliteEventLog):
        removed = await log.trim(IDP_EVENTS, group=Router.name, before=now_ms() - _RETENTION_MS)
        _log.info("raw_events_trimmed", records=removed)


def _path(name: str, url: str, scheme: str, default: Path) -> Path:
    if not url:
        return default
    parts = urlsplit(url)
    if parts.scheme != scheme or parts.netloc or not parts.path:
        raise SettingsError(f"TENANTRY_{name}_URL: {parts.scheme or url!r} is not known here; write {scheme}:///absolute/path")
    return Path(parts.path)


def _make(directory: Path) -> None:
    try:
        directory.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"TENANTRY_DATA: {directory} can't be made ({error.strerror}); name a writable directory") from error
    if not os.access(directory, os.W_OK):
        raise SettingsError(f"TENANTRY_DATA: {directory} is not writable; name another directory")
