"""What every `SearchIndex` keeps: one suite, subclassed once for each adapter."""

from __future__ import annotations

from tests.contract.index_asking import Asking
from tests.contract.index_rebuilding import Rebuilding
from tests.contract.index_tenants import Tenants
from tests.contract.index_writing import Writing


class SearchIndexContract(Writing, Tenants, Asking, Rebuilding):
    """Subclasses give `index`: one without tenants."""
