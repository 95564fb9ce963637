"""How OpenSearch indexes an event: one mapping for every index, made from the declared fields.

The declared fields keep their names, so that search tools know them. What the contract asks beyond what OpenSearch's own types do
is in fields of the adapter under `tenantry`: the owner, the position and time as integers, and the words of all word fields as
`streams.query.words` makes them, with a sign between values so that no phrase crosses from one value into the next.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from streams.fields import FIELDS, Field, FieldType

OURS: Final = "tenantry"
OWNER: Final = "tenantry.owner"
POSITION: Final = "tenantry.position"
TIME: Final = "tenantry.time"
WORDS: Final = "tenantry.words"
MESSAGE: Final = "tenantry.message"

SOURCE_POSITION: Final = "log.position"
IDENTITY: Final = "event.id"
LEAVES: Final = "idp"
TEXTS: Final = tuple(field.name for field in FIELDS if field.type is FieldType.TEXT)
DATES: Final = tuple(field.name for field in FIELDS if field.type is FieldType.DATE)
ADDRESSES: Final = tuple(field.name for field in FIELDS if field.type is FieldType.IP)
KEYWORDS: Final = tuple(field.name for field in FIELDS if field.type is FieldType.KEYWORD and field.name != SOURCE_POSITION)
WORD_FIELDS: Final = tuple(field.name for field in FIELDS if field.words)
COUNTABLE: Final = tuple(field.name for field in FIELDS if field.countable)

_WORDS: Final = {"type": "text", "analyzer": "whitespace", "norms": False}  # the only analyzer in every distribution that splits no more
_OURS: Final[dict[str, Any]] = {
    "owner": {"type": "keyword"},
    "position": {"type": "long"},
    "time": {"type": "long"},
    "words": _WORDS,
    "message": _WORDS,
    "whole": {"type": "keyword", "index": False, "doc_values": False},  # the original, where the indexed form differs from it
}


def _type(field: Field) -> dict[str, Any]:
    match field.type:
        case FieldType.KEYWORD if field.name in {IDENTITY, SOURCE_POSITION}:
            return {"type": "keyword", "doc_values": False}  # nobody counts or sorts what is different in each event
        case FieldType.KEYWORD:
            return {"type": "keyword"}
        case FieldType.TEXT:
            return {"type": "text", "norms": False}  # for search tools; this adapter's own queries ask `MESSAGE`
        case FieldType.DATE:
            return {"type": "date", "format": "strict_date_optional_time||epoch_millis", "ignore_malformed": True}
        case FieldType.IP:
            return {"type": "ip", "ignore_malformed": True}
        case FieldType.FLAT:
            return {"type": "flat_object"}


MAPPING: Final[dict[str, Any]] = {
    "dynamic": False,
    "date_detection": False,
    "properties": {field.name: _type(field) for field in FIELDS} | {OURS: {"properties": _OURS}},
}

_VERSION: Final = 1
"""To be counted up when an event becomes another document, though the mapping is the same."""

FINGERPRINT: Final = hashlib.sha256(msgspec.json.encode((_VERSION, MAPPING))).hexdigest()[:8]
"""Names the mapping."""


def creation(replicas: int | None) -> bytes:
    """The body of a request that creates an index.

    One shard: counts of values are exact, and sorting needs no merging. A search finds what was written a second ago, by OpenSearch's
    own `refresh_interval`: given here, even as the same second, each index would be refreshed all the time, whereas most tenants
    search now and then, and OpenSearch lets a search wait for the refresh where there was none for half a minute
    (`index.search.idle.after`). Without a number of replicas there is one as soon as there is a node for it.
    """
    copies: dict[str, Any] = {"auto_expand_replicas": "0-1"} if replicas is None else {"number_of_replicas": replicas}
    settings = {"number_of_shards": 1, "translog.durability": "request", **copies}
    return msgspec.json.encode({"settings": {"index": settings}, "mappings": MAPPING})
