"""An entry sent as it is: nearly all are. This runs for every event, so it looks at as little as it can."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec

from streams import position as positions
from streams.event import NAMES
from streams.fields import MAX_TERM_CHARACTERS
from streams.index_opensearch.documents import fits
from streams.index_opensearch.schema import OURS, SOURCE_POSITION
from streams.index_opensearch.words import BETWEEN_VALUES, THERE, spoken
from streams.query.addresses import canonical
from streams.query.times import iso_to_ms
from streams.search_index import Entry

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z", re.ASCII)
_ODD_VALUE = re.compile(rb'"":|":\s*-?[0-9]+[.eE]')
"""An empty key, or a number with a fraction or an exponent, outside of arrays."""
_ODD_KEY = re.compile(rb'=[^"]*"\s*:')


class _Plain(
    msgspec.Struct,
    frozen=True,
    gc=False,
    forbid_unknown_fields=True,
    rename=NAMES,
):
    """What may be sent as it is, if its values are plain, too."""

    timestamp: str
    id: str
    idp: msgspec.Raw
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
_object = msgspec.json.Decoder(dict[str, Any]).decode


def plain(tenant: str, entry: Entry) -> bytes | None:
    """The document as it is, with the adapter's fields and the position before it; None if it must be sent in the indexed form."""
    before = what_comes_before(tenant, entry)
    return None if before is None else before + entry.document[1:]


def what_comes_before(tenant: str, entry: Entry) -> bytes | None:
    """What `plain` puts in the place of the document's first brace."""
    document = entry.document
    if len(document) > MAX_TERM_CHARACTERS or b"\n" in document or b"\r" in document or not fits(entry):
        return None  # a line is a document
    try:
        event = _decode(document)
        if not (_surely_plain(document) or _plain_terms(_object(event.idp))):
            return None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if event.ingested is not None and not _plain_date(event.ingested):
        return None
    said = [spoken(event.action)]
    if event.reason is not None:
        said.append(spoken(event.reason))
    if event.user_name is not None:
        said.append(spoken(event.user_name))
    if event.client_id is not None:
        said.append(spoken(event.client_id))
    if event.source_ip is not None:
        if canonical(event.source_ip) is None:
            return None
        said.append(spoken(event.source_ip))
    message = ""
    if event.message is not None:
        said.append(words := spoken(event.message))
        message = f',"message":"{THERE} {words}"'
    ours = (
        f'{{"{OURS}":{{"owner":"{tenant}","position":{entry.position},"time":{entry.time},'
        f'"words":"{BETWEEN_VALUES.join(said)}"{message}}},'
        f'"{SOURCE_POSITION}":"{positions.render(entry.position)}",'
    )
    return ours.encode()


def _surely_plain(document: bytes) -> bool:
    """Whether the source's object becomes the same terms in OpenSearch as the contract says; a no may be wrong.

    OpenSearch would keep numbers as they are written (`1.50`), and mix up `=` in keys, which stands between path and value.
    """
    start = document.find(b'"idp":{')  # or before it, if a value looks so
    return (
        start >= 0
        and document.find(b"\\", start) < 0
        and document.find(b"[", start) < 0
        and (document.find(b"=", start) < 0 or _ODD_KEY.search(document, start) is None)
        and _ODD_VALUE.search(document, start) is None
    )


def _plain_terms(source: dict[str, Any]) -> bool:
    """Whether the source's object becomes the same terms in OpenSearch as the contract says."""
    stack: list[Any] = [source]
    while stack:
        value = stack.pop()
        if value.__class__ is dict:
            if not _plain_keys(tuple(value)):
                return False
            value = value.values()
        for inner in value:
            kind = inner.__class__
            if kind is dict or kind is list:
                stack.append(inner)
            elif kind is float:
                return False
    return True


@lru_cache(maxsize=4096)  # objects of one type have the same keys
def _plain_keys(keys: tuple[str, ...]) -> bool:
    joined = "".join(keys)
    return "" not in keys and "=" not in joined and "\\" not in joined


@lru_cache(maxsize=4096)
def _plain_date(text: str) -> bool:
    return _DATE.fullmatch(text) is not None and iso_to_ms(text) is not None
