"""Bursts: a tenant whose events fill a batch, so that the others' wait behind them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streams.scope import TenantScope
from streams.search_index import Entry

_BURST: Final = 10_000
"""Events of one tenant in one batch."""
_SHARE: Final = 0.8


def take_bursts(tenants: dict[TenantScope, list[Entry]]) -> dict[TenantScope, str]:
    """Takes out a tenant that fills the batch while others wait behind it, and why: it gets a lane of its own, by a backlog."""
    found: Sequence[TenantScope] = [scope for scope, entries in tenants.items() if len(entries) >= _BURST]
    if len(found) != 1 or len(tenants) == 1 or len(tenants[found[0]]) < _SHARE * sum(map(len, tenants.values())):
        return {}
    return {found[0]: f"a burst of {len(tenants.pop(found[0]))} events"}
