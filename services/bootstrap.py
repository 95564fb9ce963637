"""Puts everything together: the platform of `tenantry serve`, and the work of `tenantry worker`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from keyvault.store_guarded import GuardedKeyStore
from services import parts
from services.access.installation import Installation, ensure_installation
from services.access.operator import ensure_operator
from services.access.tokens import Tokens
from services.audit import Audit, AuditProcessor
from services.engines import alone, open_index, open_log, open_store
from services.events import export
from services.events.ingest import Ingest
from services.events.live_tails import LiveTails
from services.events.search import Search
from services.events.slots import Slots
from services.keys.approval_commands import ApprovalCommands
from services.keys.custodian import Custodian
from services.keys.ended_keys import EndedKeys
from services.keys.fetches import Fetches
from services.keys.imports import Imports
from services.keys.publication import Publication
from services.keys.rings import Rings
from services.keys.scheduler import RotationScheduler
from services.keys.seen_commands import Commands
from services.keys.usage import UsageCounter, secret_of_subjects
from services.keys.watch import watch_keys
from services.keys.wave_commands import WaveCommands
from services.keys.waves import Waves
from services.notices.delivery import delivery
from services.notices.notices import Notices
from services.outbound.allowed import Allowed
from services.outbound.client import Outbound
from services.overview.overview import Overview
from services.parts import now_ms
from services.platform import Platform
from services.settings import Settings
from services.tenants.brand import Brands
from services.tenants.domains import Domains
from services.tenants.forgetting import Forgetting
from services.tenants.search_user import SearchUsers
from services.tenants.sources import Sources
from services.tenants.tenant import Tenants
from services.usage.keeping import keeping
from streams.event_log import EventLog
from streams.processors.catch_up import CatchUp
from streams.processors.index import IndexProcessor
from streams.router import Router
from streams.runner import Runner
from streams.search_index import SearchIndex

_RETENTION_EVERY_SECONDS: Final = 3600
_WAVES_EVERY_SECONDS: Final = 60
_COMPLETIONS_PER_TENANT: Final = 4
_COMPLETIONS: Final = 20
"""Each may have fifty events in memory, of a megabyte each."""


@asynccontextmanager
async def start(settings: Settings) -> AsyncIterator[Platform]:
    """The platform, running, until the context is left.

    Raises:
        AlreadyRunning: another process works on the data directory.
        SettingsError: a setting can't work.
        ControlError: the control log holds something that this version can't read.
    """
    async with AsyncExitStack() as stack:
        parts.claim(settings, stack)
        log = await open_log(settings)
        stack.push_async_callback(log.close)
        index = open_index(settings)
        stack.push_async_callback(index.close)
        store = GuardedKeyStore(open_store(settings))
        stack.push_async_callback(store.close)

        tenants, sources, tokens, rings, seen, installation = Tenants(), Sources(), Tokens(), Rings(), Commands(), Installation()
        notices, outbound = Notices(), Outbound(Allowed.parse(settings.outbound_allow))
        stack.push_async_callback(outbound.close)
        waves, domains, brands, backlogs = Waves(rings), Domains(), Brands(), parts.backlogs(settings)
        folded = (tenants, sources, domains, brands, tokens, rings, waves, seen, installation, notices)
        control = await parts.control_log(log, stack, backlogs, *folded)
        await ensure_installation(control, installation, now_ms())
        await ensure_operator(control, tokens, settings.operator_token_file, now_ms())

        counter = UsageCounter(secret_of_subjects(installation.cursor_key), now_ms)
        custodian = Custodian(log, control, rings, seen, tenants, tokens, store, now_ms, counter)
        processor = IndexProcessor(log, index, backlogs, exists=tenants.exists, pooled=tenants.pooled)
        catch_up = CatchUp(log, index, processor, backlogs, alone=alone(settings))
        runner = Runner(log, (Router(sources.map, tenants.exists), AuditProcessor(), processor))
        if settings.process:
            parts.process(runner, catch_up, stack)
        preparation = parts.preparation(processor, catch_up, tenants, stack, settings)
        search_users = SearchUsers(control, tenants, parts.direct_access(settings, stack))
        forgetting = Forgetting(control, tenants, search_users, processor)
        clockwork = parts.clockwork(stack)
        parts.finish_deletions(forgetting, tenants, clockwork)
        ended_keys = EndedKeys(control, tenants, rings, store, now_ms)
        parts.finish_destructions(ended_keys, tenants, clockwork)
        clockwork.every("retention", _RETENTION_EVERY_SECONDS, lambda: parts.trim(log))
        scheduler = RotationScheduler(tenants, rings, custodian, clockwork, now_ms)
        watch_keys(tenants, rings, now_ms)
        stack.push_async_callback((fetches := Fetches(control, rings, now_ms)).settled)
        scheduler.start()
        stack.push_async_callback(scheduler.stop)
        wave_commands = WaveCommands(control, waves, rings, tenants, scheduler, now_ms)
        clockwork.every("waves that have ended", _WAVES_EVERY_SECONDS, wave_commands.finish)
        told = delivery(notices, rings, tenants, control, store, outbound, clockwork, settings.issuer_base, now_ms)
        await stack.enter_async_context(told)
        search = Search(index, processor, installation.cursor_key)
        stack.push_async_callback((live_tails := LiveTails(search)).ended)
        usage = await stack.enter_async_context(keeping(counter, search, log, tenants.exists, rings, clockwork, now_ms))
        overview = Overview(settings, log, control, index, store, backlogs, tenants, rings, scheduler, now_ms)
        stack.push_async_callback(overview.close)
        yield Platform(
            settings=settings,
            now=now_ms,
            log=log,
            index=index,
            store=store,
            control=control,
            tenants=tenants,
            search_users=search_users,
            forgetting=forgetting,
            ended_keys=ended_keys,
            sources=sources,
            domains=domains,
            tokens=tokens,
            rings=rings,
            custodian=custodian,
            imports=Imports(custodian, rings, store, outbound),
            hearing=parts.hearing(control, settings, stack),
            approvals=ApprovalCommands(custodian, tokens),
            notices=notices,
            outbound=outbound,
            publication=Publication(tenants, domains, rings, fetches, settings.issuer_base),
            scheduler=scheduler,
            waves=wave_commands,
            processor=processor,
            preparation=preparation,
            catch_up=catch_up,
            runner=runner,
            search=search,
            usage=usage,
            live_tails=live_tails,
            exports=Slots("exports", per_tenant=export.PER_TENANT, in_all=export.IN_ALL),
            completions=Slots("completions", per_tenant=_COMPLETIONS_PER_TENANT, in_all=_COMPLETIONS),
            ingest=Ingest(log, sources.map),
            audit=Audit(log),
            overview=overview,
            brands=brands,
        )


@dataclass(frozen=True, slots=True)
class Worker:
    """What processes: router, audit and index processor are running."""

    log: EventLog
    index: SearchIndex
    tenants: Tenants
    catch_up: CatchUp
    runner: Runner


@asynccontextmanager
async def work(settings: Settings, log: EventLog) -> AsyncIterator[Worker]:
    """Processes while the context is open, and nothing else: `tenantry worker`, and commands that wait when nobody serves.

    Args:
        settings: the settings.
        log: the event log.

    Raises:
        AlreadyRunning: another process does, and the engines of the settings allow for one.
    """
    async with AsyncExitStack() as stack:
        parts.claim(settings, stack)
        index = open_index(settings)
        stack.push_async_callback(index.close)
        tenants, sources, backlogs = Tenants(), Sources(), parts.backlogs(settings)
        control = await parts.control_log(log, stack, backlogs, tenants, sources)
        processor = IndexProcessor(log, index, backlogs, exists=tenants.exists, pooled=tenants.pooled)
        catch_up = CatchUp(log, index, processor, backlogs, alone=alone(settings))
        runner = Runner(log, (Router(sources.map, tenants.exists), AuditProcessor(), processor))
        parts.process(runner, catch_up, stack)
        search_users = SearchUsers(control, tenants, parts.direct_access(settings, stack))
        parts.finish_deletions(Forgetting(control, tenants, search_users, processor), tenants, parts.clockwork(stack))
        yield Worker(log, index, tenants, catch_up, runner)
