"""Recorded and documented raw events of every source."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path
from typing import Any, Final

from streams.sources.decode import decode

_ROOT: Final = Path(__file__).parents[3]
_FILES: Final = {
    "keycloak events": "services/sample/events.ndjson.gz",
    "keycloak admin-events": "services/sample/admin-events.ndjson.gz",
    "keycloak listener-events": "services/sample/listener-events.ndjson.gz",
    "keycloak server-log": "tests/data/keycloak/server-log.ndjson.gz",
    "janssen audit": "tests/data/janssen/audit.ndjson",
    "auth0 logs": "tests/data/auth0/logs.ndjson",
    "okta system-log": "tests/data/okta/system-log.ndjson",
    "cloudevents events": "tests/data/cloudevents/events.ndjson",
}
SAMPLES: Final = tuple(_FILES)
"""`SOURCE FILE` of each."""


@cache
def lines(sample: str) -> tuple[bytes, ...]:
    path = _ROOT / _FILES[sample]
    content = path.read_bytes()
    return tuple((gzip.decompress(content) if path.suffix == ".gz" else content).splitlines())


def events(sample: str) -> list[dict[str, Any]]:
    return [decode(line).raw for line in lines(sample)]
