"""The running platform: the engines, the state folded from the control log, and the use cases on top of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from keyvault.key_store import KeyStore
from services.access.tokens import Tokens
from services.audit import Audit
from services.events.ingest import Ingest
from services.events.search import Search
from services.keys.custodian import Custodian
from services.keys.publication import Publication
from services.keys.rings import Rings
from services.keys.scheduler import RotationScheduler
from services.settings import Settings
from services.tenants.sources import Sources
from services.tenants.tenant import Tenants
from streams.control_log import ControlLog
from streams.direct_access import DirectAccess
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
    direct_access: DirectAccess | None
    store: KeyStore
    control: ControlLog
    tenants: Tenants
    sources: Sources
    tokens: Tokens
    rings: Rings
    custodian: Custodian
    publication: Publication
    scheduler: RotationScheduler
    processor: IndexProcessor
    catch_up: CatchUp
    runner: Runner
    search: Search
    ingest: Ingest
    audit: Audit

    async def prepare(self, scope: TenantScope, *, new: bool = False) -> None:
        """Gives a tenant what it needs before its first event and token: an index, an active key and a standby."""
        await self.processor.prepare(scope, new=new)
        await self.custodian.settle(scope)

    async def forget(self, scope: TenantScope) -> None:
        """Takes a deleted tenant's index away, and its user at the search engine, if it has one."""
        tenant = self.tenants.find(scope.tenant)
        if self.direct_access is not None and tenant is not None and tenant.search_user:
            await self.direct_access.revoke(scope)
        await self.processor.drop(scope)
