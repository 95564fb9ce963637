"""An entry sent as it is: nearly all are. This runs for every event, so it looks at as little as it can."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

import msgspec

from streams import position as positions
from streams.fields import MAX_TERM_CHARACTERS
from streams.index_opensearch.documents import fits
from streams.index_opensearch.lengthy import SHORT_PATH, SHORT_VALUE, all_parts
from streams.index_opensearch.schema import OURS, SOURCE_POSITION
from streams.index_opensearch.words import BETWEEN_VALUES, THERE, spoken
from streams.query.addresses import canonical
from streams.query.times import iso_to_ms
from streams.search_index import Entry

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z", re.ASCII)
_LONG: Final = SHORT_VALUE + 1


class _Plain(
    msgspec.Struct,
    frozen=True,
    gc=False,
    forbid_unknown_fields=True,
    rename={
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
    },
):
    """What may be sent as it is, if its values are plain, too."""

    timestamp: str
    id: str
    idp: dict[str, Any]
    action: str = ""
    category: str = ""
    outcome: str = ""
    provider: str = ""
    dataset: str = ""
    ingested: str | None = None
    tenant: str = ""
    reason: str | None = None
    user_id: str = ""
    user_name: str | None = None
    client_id: str | None = None
    session_id: str = ""
    source_ip: str | None = None
    message: str | None = None
    tags: tuple[str, ...] = ()


_decode = msgspec.json.Decoder(_Plain).decode
_any = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


def plain(tenant: str, entry: Entry) -> bytes | None:
    """The document as it is, with the adapter's fields and the position before it; None if it must be sent in the indexed form."""
    document = entry.document
    if len(document) > MAX_TERM_CHARACTERS or b"\n" in document or b"\r" in document or not fits(entry):
        return None  # a line is a document
    try:
        event = _decode(document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    longest = _longest(event.idp)
    if longest is None or (event.ingested is not None and not _plain_date(event.ingested)):
        return None
    said = [spoken(event.action)]
    for text in (event.reason, event.user_name, event.client_id):
        if text is not None:
            said.append(spoken(text))
            longest = max(longest, len(text))
    if event.source_ip is not None:
        if canonical(event.source_ip) is None:
            return None
        said.append(spoken(event.source_ip))
    long = message = ""
    if event.message is not None:
        said.append(words := spoken(event.message))
        message = f',"message":"{THERE} {words}"'
    others = (event.id, event.user_id, event.session_id, event.action, event.category, event.outcome, event.provider, event.dataset)
    if longest > SHORT_VALUE or max(map(len, others)) > SHORT_VALUE or any(len(tag) > SHORT_VALUE for tag in event.tags):
        long = f'"long":{_encode(all_parts(_any(document))).decode()},'
    ours = (
        f'{{"{OURS}":{{{long}"owner":"{tenant}","position":{entry.position},"time":{entry.time},'
        f'"words":"{BETWEEN_VALUES.join(said)}"{message}}},'
        f'"{SOURCE_POSITION}":"{positions.render(entry.position)}",'
    )
    return ours.encode() + document[1:]


@lru_cache(maxsize=4096)
def _plain_date(text: str) -> bool:
    return _DATE.fullmatch(text) is not None and iso_to_ms(text) is not None


def _longest(source: dict[str, Any]) -> int | None:
    """How long the object's longest text is, or its paths are; None if OpenSearch would make other terms of it than the contract.

    It would keep numbers as they are written (`1.50`), and mix up `=` in keys, which stands between path and value.
    """
    longest = 0
    stack: list[tuple[Any, int]] = [(source, 0)]
    while stack:
        value, path = stack.pop()
        if value.__class__ is dict:
            key = _longest_key(tuple(value))
            if key < 0:
                return None
            path += key + 1
            if path > SHORT_PATH:
                longest = _LONG
            value = value.values()
        for inner in value:
            kind = inner.__class__
            if kind is str:
                longest = max(longest, len(inner))
            elif kind is dict or kind is list:
                stack.append((inner, path))
            elif kind is float:
                return None
    return longest


@lru_cache(maxsize=4096)  # objects of one type have the same keys
def _longest_key(keys: tuple[str, ...]) -> int:
    joined = "".join(keys)
    if "" in keys or "=" in joined or "\\" in joined:
        return -1
    return max(map(len, keys), default=0)
