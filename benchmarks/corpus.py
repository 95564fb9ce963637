"""The events that benchmarks use: the recorded ones again and again, each time with other ids and later times."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

from services.access.principal import Principal
from services.access.scopes import Scope
from services.platform import Platform
from services.sample.load import FILES
from services.tenants import commands
from services.tenants.sources import parse
from streams.scope import TenantScope

OPERATOR = Principal("benchmark", "benchmark", None, frozenset(Scope))
REALMS: list[dict[str, str]] = json.loads((FILES[0].parent / "realms.json").read_text())


def recorded() -> list[dict[str, Any]]:
    """The recorded events."""
    found: list[dict[str, Any]] = []
    for path in FILES:
        with gzip.open(path) as lines:
            found += [json.loads(line) for line in lines]
    return found


def lines(count: int, *, realm: str | None = None) -> Iterator[bytes]:
    """So many events, one a line; all of them of one realm, if it is given."""
    source = recorded()
    for number in range(count):
        event = dict(source[number % len(source)])
        event["id"] = f"{number:08x}{event['id'][8:]}"
        event["time"] += number // len(source) * 3_600_000 // 100
        if realm is not None:
            event["realmId"] = realm
        yield json.dumps(event, separators=(",", ":")).encode() + b"\n"


async def create_tenants(platform: Platform) -> None:
    """The six tenants of the recorded realms."""
    for realm in REALMS:
        scope = TenantScope(realm["name"])
        source = parse({"provider": "keycloak", "realm_id": realm["id"], "realm": realm["name"]}, "realms.json")
        await commands.put(
            platform.control,
            platform.tenants,
            platform.sources,
            scope,
            display_name=realm["name"],
            issuer=None,
            issuer_base=platform.settings.issuer_base,
            declarations=[source],
            by=OPERATOR,
            now=platform.now(),
        )
        await platform.prepare(scope)
