"""Replay: a tenant's index built anew from the tenant log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from streams.errors import SegmentError
from streams.event_log import TENANT_LOG, EventLog
from streams.scope import TenantScope
from streams.search_index import Entry, SearchIndex
from streams.segment import entries

_log = structlog.get_logger(__name__)
_CHUNK: Final = 20_000  # events in one write: enough to make a commit cheap, few enough to bound memory
_RECORDS: Final = 50


async def replay(
    log: EventLog,
    index: SearchIndex,
    scope: TenantScope,
    progress: Callable[[int], None],
    before_swap: Callable[[], Awaitable[None]],
    *,
    pooled: bool,
) -> int:
    """Fills a new index from the whole log of the tenant and swaps it in; the old one answers until then.

    Args:
        log: the event log.
        index: the search index.
        scope: the tenant.
        progress: is told how many events are done.
        before_swap: is awaited before the new index takes the old one's place; if it raises, that does not happen.
        pooled: whether the new index may be shared, as the tenant was registered: a lost one can't be asked.

    Returns:
        How many events the index has.
    """
    done = indexed = start = 0
    async with index.rebuild(scope, pooled=pooled) as generation:
        chunk: list[Entry] = []
        while records := await log.read(TENANT_LOG, key=scope.tenant, start=start, limit=_RECORDS):
            start = records[-1].offset + 1
            for record in records:
                try:
                    chunk += entries(record)
                except SegmentError as error:  # a dead letter since the index processor first saw it
                    _log.warning("segment_skipped", tenant=scope.tenant, offset=record.offset, error=str(error))
            if len(chunk) >= _CHUNK:
                indexed += (await generation.write(chunk)).indexed
                done += len(chunk)
                progress(done)
                chunk = []
        if chunk:
            indexed += (await generation.write(chunk)).indexed
            progress(done + len(chunk))
        await before_swap()
    return indexed
