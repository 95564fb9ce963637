"""How entries get into an opened index.

tantivy lets go of Python's global lock for every document, and gets it back only when some other thread is made to let go,
up to 5 ms later: in a thread beside a busy event loop it took 200 documents a second. So documents are handed over from the
event loop's own thread, which takes some tens of microseconds each, few at a time; the work on them is done by the writer's
thread, outside of Python. What really waits, that is commits and look-ups, runs in other threads.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

from streams.fields import trim
from streams.index_tantivy.documents import to_json
from streams.index_tantivy.opened import OpenedIndex, engine, takes
from streams.index_tantivy.shelf import Shelf
from streams.search_index import Entry, Rejected, Written

_AT_ONCE: Final = 32
"""Documents handed over before others on the event loop get a turn: about a millisecond."""
_UNCOMMITTED: Final = 8_000
"""tantivy queues 10,000 documents for its writer; handing over more before a commit could block."""
_IMPATIENCE: Final = 0.0001
"""Seconds until another thread must give the global lock back, while documents are handed over: 28,000 a second instead of 200,
beside a thread that computes."""


async def write(shelf: Shelf, opened: OpenedIndex, entries: Sequence[Entry]) -> Written:
    """Indexes the entries, durably; the first of an id wins. One call at a time per index."""
    async with shelf.writer(opened):
        seen = await shelf.run(opened.known, [entry.event_id for entry in entries])
        indexed = uncommitted = 0
        rejected: list[Rejected] = []
        for begin in range(0, len(entries), _AT_ONCE):
            some = _hand_over(opened, entries[begin : begin + _AT_ONCE], seen)
            uncommitted += some.added
            rejected += some.rejected
            for entry, document, error in some.refused:
                # Either the document is at fault, and would be in any index, or this index's writer is.
                reason = await shelf.run(takes, document)
                if reason is None:
                    with engine():
                        raise error
                rejected.append(Rejected(entry, reason))
            if uncommitted >= _UNCOMMITTED:
                await shelf.run(opened.commit)
                indexed, uncommitted = indexed + uncommitted, 0
            else:
                await asyncio.sleep(0)
        if uncommitted:
            await shelf.run(opened.commit)
            indexed += uncommitted
        return Written(indexed, len(entries) - indexed - len(rejected), rejected)


class _HandedOver(NamedTuple):
    added: int
    rejected: list[Rejected]
    refused: list[tuple[Entry, str, ValueError]]


def _hand_over(opened: OpenedIndex, entries: Sequence[Entry], seen: set[str]) -> _HandedOver:
    """Hands over those of the entries that are not `seen` yet, and makes them so."""
    added = 0
    rejected: list[Rejected] = []
    refused: list[tuple[Entry, str, ValueError]] = []
    patience = sys.getswitchinterval()
    sys.setswitchinterval(_IMPATIENCE)
    try:
        for entry in entries:
            identity = trim(entry.event_id)
            if identity in seen:
                continue
            try:
                document = to_json(entry)
            except ValueError as error:
                rejected.append(Rejected(entry, str(error)))
                continue
            try:
                opened.add(document)
            except ValueError as error:
                refused.append((entry, document, error))
                continue
            seen.add(identity)
            added += 1
    finally:
        sys.setswitchinterval(patience)
    return _HandedOver(added, rejected, refused)
