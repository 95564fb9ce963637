"""The running platform: the engines, the state folded from the control log, and the use cases on top of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from keyvault.key_store import KeyStore
from services.access.tokens import Tokens
from services.audit import Audit
from services.events.ingest import Ingest
from services.events.live_tails import LiveTails
from services.events.search import Search
from services.events.slots import Slots
from services.keys.approval_commands import ApprovalCommands
from services.keys.custodian import Custodian
from services.keys.ended_keys import EndedKeys
from services.keys.hearing import Hearing
from services.keys.imports import Imports
from services.keys.publication import Publication
from services.keys.rings import Rings
from services.keys.scheduler import RotationScheduler
from services.keys.wave_commands import WaveCommands
from services.notices.notices import Notices
from services.outbound.client import Outbound
from services.overview.overview import Overview
from services.preparation import Preparation
from services.settings import Settings
from services.tenants.brand import Brands
from services.tenants.domains import Domains
from services.tenants.forgetting import Forgetting
from services.tenants.search_user import SearchUsers
from services.tenants.sources import Sources
from services.tenants.tenant import Tenants
from services.usage.sums import UsageSums
from streams.control_log import ControlLog
from streams.event_log import EventLog
from streams.processors.catch_up import CatchUp
from streams.processors.index import IndexProcessor
from streams.runner import Runner
from streams.scope import TenantScope
from streams.search_index import SearchIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Everything that a request may need. `services.bootstrap` makes it."""

    settings: Settings
    now: Callable[[], int]
    log: EventLog
    index: SearchIndex
    store: KeyStore
    control: ControlLog
    tenants: Tenants
    search_users: SearchUsers
    forgetting: Forgetting
    ended_keys: EndedKeys
    sources: Sources
    domains: Domains
    tokens: Tokens
    rings: Rings
    custodian: Custodian
    imports: Imports
    hearing: Hearing
    approvals: ApprovalCommands
    notices: Notices
    outbound: Outbound
    publication: Publication
    scheduler: RotationScheduler
    waves: WaveCommands
    processor: IndexProcessor
    preparation: Preparation
    catch_up: CatchUp
    runner: Runner
    search: Search
    usage: UsageSums
    live_tails: LiveTails
    exports: Slots
    completions: Slots
    ingest: Ingest
    audit: Audit
    overview: Overview
    brands: Brands

    async def prepare(self, scope: TenantScope, *, new: bool = False) -> None:
        """Gives a tenant what it needs before its first event and token: an index, an active key and a standby."""
        await self.processor.prepare(scope, new=new)
        await self.custodian.settle(scope)
