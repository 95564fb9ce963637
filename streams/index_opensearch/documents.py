"""The documents of OpenSearch: their ids, their two forms, and the way back.

Most events are sent as they are, behind one object with the adapter's own fields: nothing is encoded again (`plain`). An event that
OpenSearch would index otherwise than the contract says, or refuse, is sent in an indexed form, with the original as a text (`indexed`).
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import msgspec

from streams import position as positions
from streams.event import with_position
from streams.fields import trim
from streams.index_opensearch.schema import IDENTITY, OURS
from streams.search_index import Entry

_LIMIT: Final = 1 << 63
_MAX_ID: Final = 512  # bytes, of OpenSearch
_SENT_BEFORE: Final = len(with_position(b"{", 0))
_PLAIN: Final = f'{{"{OURS}":{{"owner":"'.encode()
"""How a document begins that was sent as it is; the indexed form's `whole`, which may hold any sign, comes before the owner."""


def identity(tenant: str, event_id: str) -> str:
    """The id of the event's document: it has the tenant, so that tenants who share an index never meet in it.

    Ids that are too long are hashed: behind a second colon, where no event id is left as it is.
    """
    name = f"{tenant}:{trim(event_id)}"
    if not event_id or event_id[0] == ":" or (len(name) > _MAX_ID // 4 and len(name.encode(errors="surrogatepass")) > _MAX_ID):
        return f"{tenant}::{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()}"
    return name


def fits(entry: Entry) -> bool:
    """Whether its numbers can be indexed."""
    return -_LIMIT <= entry.time < _LIMIT and -_LIMIT <= entry.position < _LIMIT


def path_of(path: str) -> str:
    """A path of the source's object as its terms have it: they are `path=value`, so no path has a `=`."""
    if "=" in path or "\\" in path:
        path = path.replace("\\", "\\\\").replace("=", "\\-")
    return path


def positioned(document: bytes, position: int) -> bytes:
    """The event with its position, also where it holds nothing or begins with a blank."""
    document = document.strip()
    if document[1:].lstrip() == b"}":
        return b'{"log.position":"%b"}' % positions.render(position).encode()
    return with_position(document, position)


def original(source: bytes) -> bytes:
    """The event with its position, of either form."""
    if source.startswith(_PLAIN):
        return b"{" + source[source.index(b"}") + 2 :]  # no value of that object has a brace
    found = msgspec.json.decode(source, type=dict[str, msgspec.Raw])
    ours = msgspec.json.decode(found.pop(OURS), type=_Ours)
    return ours.whole.encode() if ours.whole else msgspec.json.encode(found)


def owned(source: bytes, tenant: str) -> bool:
    """Whether the document, of either form, is the tenant's."""
    return source.startswith(b'%b%b",' % (_PLAIN, tenant.encode())) or msgspec.json.decode(source, type=_Document).tenantry.owner == tenant


def entry_of(tenant: str, document_id: str, source: bytes) -> Entry:
    """The entry that a document was made of."""
    document = original(source)
    ours = msgspec.json.decode(source, type=_Document).tenantry
    event_id = document_id.removeprefix(f"{tenant}:")
    if event_id.startswith(":"):
        event_id = str(msgspec.json.decode(document, type=dict[str, Any]).get(IDENTITY, ""))
    rest = document[_SENT_BEFORE:]
    return Entry(ours.position, event_id, ours.time, b"{" + (rest or b"}"))


class _Ours(msgspec.Struct):
    position: int
    time: int
    owner: str = ""
    whole: str = ""


class _Document(msgspec.Struct):
    tenantry: _Ours
