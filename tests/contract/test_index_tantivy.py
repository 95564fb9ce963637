"""tantivy keeps the contract of `SearchIndex`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streams.index_tantivy.index import TantivyIndex
from streams.search_index import SearchIndex
from tests.contract.search_index import SearchIndexContract


class TestTantivyIndex(SearchIndexContract):
    @pytest.fixture
    async def index(self, tmp_path: Path) -> AsyncIterator[SearchIndex]:
        index = TantivyIndex(tmp_path / "index")
        yield index
        await index.close()
