"""The events that benchmarks use: the recorded ones again and again, each time with other ids and later times."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

from services.access.principal import Principal
from services.access.scopes import Scope
from services.sample.load import FILES

OPERATOR = Principal("benchmark", "benchmark", None, frozenset(Scope))


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
