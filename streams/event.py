"""The event: one thing that an identity provider did, as flat ECS fields, encoded once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

import msgspec

from streams import position as positions

IMPLAUSIBLE_TIME: Final = "implausible_time"
INVALID_CHARACTERS: Final = "invalid_characters"
TRIMMED: Final = "trimmed"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

NAMES: Final = {
    "timestamp": "@timestamp",
    "id": "event.id",
    "action": "event.action",
    "category": "event.category",
    "outcome": "event.outcome",
    "reason": "event.reason",
    "provider": "event.provider",
    "dataset": "event.dataset",
    "ingested": "event.ingested",
    "user_id": "user.id",
    "user_name": "user.name",
    "client_id": "client.id",
    "session_id": "session.id",
    "source_ip": "source.ip",
    "tenant": "tenant.id",
}
"""What the attributes of an event are called where it is stored and returned; the meanings are in `streams.fields`."""


class Event(
    msgspec.Struct,
    frozen=True,
    omit_defaults=True,
    kw_only=True,
    gc=False,
    rename=NAMES,
):
    """One event as it is stored and returned; absent fields are left out. The meanings are in `streams.fields`.

    `log.position` is not here: it is known only once the event's segment is in the log; `with_position` adds it.
    """

    timestamp: str
    id: str
    action: str
    category: str
    outcome: str
    provider: str
    dataset: str
    ingested: str
    tenant: str
    reason: str | None = None
    user_id: str | None = None
    user_name: str | None = None
    client_id: str | None = None
    session_id: str | None = None
    source_ip: str | None = None
    message: str | None = None
    tags: tuple[str, ...] = ()
    idp: msgspec.Raw


def iso(ms: int) -> str:
    """Epoch milliseconds as ISO 8601 in UTC, with milliseconds: 2026-11-23T16:51:50.932Z."""
    return f"{_second(ms // 1000)}.{ms % 1000:03d}Z"


@lru_cache(maxsize=4096)  # events come about in the order of time, so the same second is asked for again and again
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).isoformat()[:-6]


def with_position(document: bytes, position: int) -> bytes:
    """The encoded event with its `log.position`, without decoding it."""
    return b'{"log.position":"%s",%s' % (positions.render(position).encode(), document[1:])
