"""The metrics of notices, by the names that dashboards and alerts use."""

from __future__ import annotations

from prometheus_client import Counter

NOTICES = Counter("tenantry_notices_total", "Attempts to tell a relying party of a key, on this node, by what they came to", ["result"])
