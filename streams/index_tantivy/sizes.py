"""How large the tenants' indexes are, read from what tantivy leaves beside them: no index is opened. All calls block."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from streams.errors import IndexMissing, IndexUnavailable
from streams.index_tantivy.directory import TenantDirectory
from streams.search_index import Size

_META: Final = "meta.json"
"""Written whole by each commit, so it tells of what is durable."""


class _Deletes(msgspec.Struct):
    num_deleted_docs: int


class _Segment(msgspec.Struct):
    max_doc: int
    deletes: _Deletes | None = None


class _Meta(msgspec.Struct):
    segments: list[_Segment]


_decode = msgspec.json.Decoder(_Meta).decode


def sizes(root: Path) -> Mapping[str, Size]:
    """The sizes below the directory of all tenants. What is being removed, or can't be read now, is left out."""
    try:
        tenants = [entry.name for entry in os.scandir(root) if entry.is_dir()]
    except FileNotFoundError:
        return {}
    return {tenant: size for tenant in tenants if (size := _size(root, tenant)) is not None}


def _size(root: Path, tenant: str) -> Size | None:
    try:
        current = TenantDirectory(root, tenant).current()
        meta = _decode((current / _META).read_bytes())
        taken = sum(entry.stat().st_size for entry in os.scandir(current))
    except (OSError, msgspec.MsgspecError, IndexMissing, IndexUnavailable):
        return None
    deleted = sum(one.deletes.num_deleted_docs for one in meta.segments if one.deletes is not None)
    return Size(sum(one.max_doc for one in meta.segments) - deleted, taken)
