"""One bulk request: lines out, and what became of each item."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final, NamedTuple

import msgspec

from streams.index_opensearch.client import Body, Client

_FILTER: Final = "filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason"
_ALL_WELL: Final = b'{"errors":false'
_SHARD_TIMEOUT: Final = "500ms"
"""How long the items of a shard that is not there may hold up the others of the request."""

_SECONDS: Final = 120.0
"""Given up early, a request would be done nevertheless, and asked for again: a busy engine would get busier."""

_BUSY: Final = frozenset({429, 503})
_TROUBLE: Final = frozenset(
    {
        "cluster_block_exception",
        "index_closed_exception",
        "index_not_found_exception",
        "alias_not_found_exception",
        "security_exception",
        "unavailable_shards_exception",
        "no_shard_available_action_exception",
    }
)


class Fate(Enum):
    """What became of an item."""

    WRITTEN = "written"
    THERE = "there"
    """One of this id was there already."""
    BUSY = "busy"
    """Worth another try soon."""
    TROUBLE = "trouble"
    """The index can't be written to now."""
    REFUSED = "refused"
    """The document can't be indexed."""


class Outcome(NamedTuple):
    """What became of an item, and why, without what the document says."""

    fate: Fate
    why: str = ""


WRITTEN: Final = Outcome(Fate.WRITTEN)
_THERE: Final = Outcome(Fate.THERE)


class _Error(msgspec.Struct, gc=False):
    type: str = ""
    reason: str = ""


class _Item(msgspec.Struct, gc=False):
    status: int = 0
    error: _Error | None = None


class _Answer(msgspec.Struct):
    items: list[dict[str, _Item]] = []


_decode = msgspec.json.Decoder(_Answer).decode
_encode = msgspec.json.Encoder().encode


def header(index: str, *, routing: str = "") -> bytes:
    """The beginning of the action line of a document for this index or alias; see `line`."""
    if routing:
        return b'{"create":{"_index":%b,"routing":%b,"_id":' % (_encode(index), _encode(routing))
    return b'{"create":{"_index":%b,"_id":' % _encode(index)


def line(head: bytes, identity: str, document: bytes, before: bytes = b"") -> bytes:
    """The two lines that create the document, unless there is one of its id; with `before`, that stands for its first sign."""
    return b"%b%b}}\n%b%b\n" % (head, _encode(identity), before, document[1:] if before else document)


async def send(client: Client, lines: Sequence[bytes], *, through_aliases: bool) -> Sequence[Outcome]:
    """What became of each item. With `through_aliases`, what is not an alias is never written to, nor made.

    Raises:
        Refused: the request as a whole was.
        IndexUnavailable: there is no answer; any of the items may have been written.
    """
    path = f"/_bulk?require_alias={'true' if through_aliases else 'false'}&timeout={_SHARD_TIMEOUT}&{_FILTER}"
    answer = await client.send(path, Body(lines), seconds=_SECONDS)
    if answer.startswith(_ALL_WELL):
        return [WRITTEN] * len(lines)
    items = _decode(answer).items
    assert len(items) == len(lines), "an answer for each item"
    return [_outcome(next(iter(item.values()))) for item in items]


def _outcome(item: _Item) -> Outcome:
    if item.status in {200, 201}:
        return WRITTEN
    if item.status == 409:
        return _THERE
    kind, reason = (item.error.type, item.error.reason) if item.error else ("", "")
    if kind in _TROUBLE or (item.status != 400 and item.status not in _BUSY) or "no write index is defined" in reason:
        return Outcome(Fate.BUSY if item.status in _BUSY else Fate.TROUBLE, f"{kind} ({item.status})")
    if item.status in _BUSY:
        return Outcome(Fate.BUSY, f"{kind} ({item.status})")
    return Outcome(Fate.REFUSED, _about(kind, reason))


def _about(kind: str, reason: str) -> str:
    """The error without the value that OpenSearch shows of the document."""
    return f"{kind}: {reason.partition('. Preview of')[0].partition(' in document with id')[0][:200]}"
