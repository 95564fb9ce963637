"""The metrics of `services`, by the names that boards and alerts use. They are here, and not there, since boards are made below `services`.

A counter with labels begins at 0 for each value that is known beforehand: Prometheus sees no increase in a series that begins at 5.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from keyvault.events import TYPES

KEY_EVENTS: Final = Counter("tenantry_key_events_total", "What happened to keys, on this node", ["type"])
ROTATIONS_DUE: Final = Gauge("tenantry_rotations_due", "Tenants whose key ring needs something that has not been done yet")
SIGN_SECONDS: Final = Histogram("tenantry_sign_seconds", "Time to sign the tokens of one request")
TOKENS_SIGNED: Final = Counter("tenantry_tokens_signed_total", "Tokens that were signed and given out, on this node")
SIGN_FAILURES: Final = Counter("tenantry_sign_failures_total", "Requests to sign that failed, since the key store or the key was away")
TENANTS: Final = Gauge("tenantry_tenants", "Tenants")
WITHOUT_ACTIVE_KEY: Final = Gauge("tenantry_tenants_without_active_key", "Tenants for whom no key signs")
WITHOUT_PUBLISHED_KEY: Final = Gauge("tenantry_tenants_without_published_key", "Tenants whose JWKS has no key")
NOTICES: Final = Counter(
    "tenantry_notices_total", "Attempts to tell a relying party of a key, on this node, by what they came to", ["result"]
)
PUBLISHED: Final = Counter("tenantry_published_total", "Requests for a JWKS or a discovery document, by status", ["status"])
HTTP_SECONDS: Final = Histogram(
    "tenantry_http_request_seconds", "Time to answer one request of API or console, by the method and the class of its status",
    ["method", "status"],
)  # fmt: skip

PUBLISHED_STATUSES: Final = (200, 204, 304, 404, 405)
"""What requests for public documents are answered with."""

for _type in TYPES:
    KEY_EVENTS.labels(_type)
for _result in ("delivered", "failed", "abandoned"):
    NOTICES.labels(_result)
for _status in PUBLISHED_STATUSES:
    PUBLISHED.labels(_status)
