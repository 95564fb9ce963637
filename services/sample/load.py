"""Loading the sample tenants and events, on the first start."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import structlog

from services.access.principal import Principal
from services.access.scopes import Scope
from services.events.file_ingest import append_lines
from services.platform import Platform
from services.tenants import commands
from services.tenants.sources import parse
from streams.event_log import IDP_EVENTS
from streams.scope import TenantScope

_HERE: Final = Path(__file__).parent
FILES: Final = tuple(_HERE / f"{name}.ndjson.gz" for name in ("events", "admin-events"))
"""Recorded from a Keycloak 26.7.3 with synthetic users, as its REST API returned them."""

REALMS: Final[list[dict[str, str]]] = json.loads((_HERE / "realms.json").read_text())
_SAMPLE: Final = Principal("tenantry", "sample", None, frozenset(Scope))
_log = structlog.get_logger(__name__)


async def load_sample(platform: Platform) -> None:
    """Creates the six tenants and appends their events, on the first start only. Interrupted, it begins again."""
    names = {realm["name"] for realm in REALMS}
    if any(tenant.id not in names for tenant in platform.tenants.all()) or any(map(_was_deleted(platform), names)):
        return
    if all(map(platform.tenants.exists, names)) and sum((await platform.log.ends(IDP_EVENTS)).values()) > 1:
        return
    await create_tenants(platform, _SAMPLE)
    appended = await append_lines(platform.log, _lines(), source="keycloak", tenant=None, progress=lambda _: None)
    _log.info("sample_loaded", tenants=len(REALMS), events=appended.lines)


async def create_tenants(platform: Platform, by: Principal) -> None:
    """Creates the six tenants of the recorded realms, or what is missing of them."""
    for realm in REALMS:
        scope = TenantScope(realm["name"])
        source = parse({"provider": "keycloak", "realm_id": realm["id"], "realm": realm["name"]}, "realms.json")
        new = await commands.put(
            platform.control,
            platform.tenants,
            platform.sources,
            scope,
            display_name=realm["name"].capitalize(),
            issuer=None,
            issuer_base=platform.settings.issuer_base,
            declarations=[source],
            by=by,
            now=platform.now(),
        )
        await platform.prepare(scope, new=new)


def _was_deleted(platform: Platform) -> Callable[[str], bool]:
    def was_deleted(name: str) -> bool:
        tenant = platform.tenants.find(name)
        return tenant is not None and tenant.deleted_at is not None

    return was_deleted


def _lines() -> Iterator[bytes]:
    for path in FILES:
        with gzip.open(path, "rb") as lines:
            yield from lines
