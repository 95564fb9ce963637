"""The metrics of keys, by the names that dashboards and alerts use."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

KEY_EVENTS = Counter("tenantry_key_events_total", "What happened to keys, on this node", ["type"])
ROTATIONS_DUE = Gauge("tenantry_rotations_due", "Tenants whose key ring needs something that has not been done yet")
SIGN_SECONDS = Histogram("tenantry_sign_seconds", "Time to sign the tokens of one request")
TOKENS_SIGNED = Counter("tenantry_tokens_signed_total", "Tokens that were signed and given out, on this node")
