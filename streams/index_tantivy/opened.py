"""One generation of one tenant's index, opened: its writer, if it has one, and its newest searcher."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import tantivy

from streams.errors import IndexUnavailable, QueryError
from streams.fields import trim
from streams.index_tantivy import schema
from streams.index_tantivy.translate import Translator
from streams.query.tree import Query

SCHEMA = schema.build()
_TRANSLATOR = Translator(SCHEMA)


@contextmanager
def engine() -> Iterator[None]:
    """What tantivy and the file system raise, as errors of the port."""
    try:
        yield
    except (ValueError, OSError, MemoryError) as error:
        if "max expansions" in str(error):
            raise QueryError(
                "more than 16,384 words begin like the last word of the phrase", hint="write more of it before the `*`"
            ) from None
        raise IndexUnavailable(
            f"the search index can't be used now: {error}; see that its disk has space and no other process writes to it"
        ) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of tantivy's Rust; not importable, and no Exception
            raise
        raise IndexUnavailable(f"the search index failed: {error}") from error


class OpenedIndex:
    """An opened generation. Its methods block; who holds `turn` may use the writer, anybody may search."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if not create and not tantivy.Index.exists(str(path)):
            raise ValueError(f"{path} holds no index")
        self.path = path
        self.turn = asyncio.Lock()
        self._index = tantivy.Index(SCHEMA, str(path))
        self._index.config_reader("manual")  # a thousand indexes that watch their files are a thousand threads
        self._writer: tantivy.IndexWriter | None = None
        self.searcher = self._index.searcher()

    @property
    def writing(self) -> bool:
        """Whether it holds a writer: a thread, memory, and the lock of the directory."""
        return self._writer is not None

    def begin(self, heap: int) -> None:
        """Opens the writer, unless it is open, and removes what a killed one left."""
        if self._writer is None:
            self._writer = self._index.writer(heap, 1)
            self._writer.garbage_collect_files()

    def end(self) -> None:
        """Closes the writer, when it has finished merging."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.wait_merging_threads()

    def abandon(self) -> None:
        """Drops the writer and what it has not committed, after an error."""
        self._writer = None

    def identity(self, event_id: str) -> tantivy.Query:
        """The event with this id."""
        return _TRANSLATOR.identities([event_id])

    def known(self, event_ids: Sequence[str]) -> set[str]:
        """Which of these events are in the index, by their ids as it holds them."""
        ids = [trim(event_id) for event_id in event_ids]
        if not ids or not count(self.searcher, _TRANSLATOR.identities(ids)):
            return set()
        return {term for term in ids if self.searcher.doc_freq(schema.IDENTITY, term)}

    def add(self, document: str) -> None:
        """Takes a document in; it is searched and durable after `commit`. Does not block as long as few are uncommitted."""
        assert self._writer is not None
        self._writer.add_json(document)

    def commit(self) -> None:
        """Makes durable, and found by new searches, what was added."""
        assert self._writer is not None
        self._writer.commit()
        self._index.reload()
        self.searcher = self._index.searcher()

    def translate(self, query: Query) -> tantivy.Query:
        """The query for this index."""
        return _TRANSLATOR.translate(query)


def count(searcher: tantivy.Searcher, query: tantivy.Query) -> int:
    """How many events a query finds."""
    return int(searcher.search(query, limit=1, count=True).count)  # type: ignore[attr-defined]  # missing in its type stubs


def takes(document: str) -> str | None:
    """Why a document can't be indexed anywhere, tried alone in memory; None if it can."""
    writer = tantivy.Index(SCHEMA).writer(15_000_000, 1)
    try:
        writer.add_json(document)
    except ValueError as error:
        return str(error)
    return None
