"""The metrics of `keyvault`, by the names that dashboards and alerts use."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

VAULT_REQUEST_SECONDS = Histogram("tenantry_vault_request_seconds", "Time of one request to Vault", ["operation"])
VAULT_FAILURES = Counter("tenantry_vault_failures_total", "Requests that Vault did not answer as asked", ["reason"])
VAULT_BATCH_MESSAGES = Histogram(
    "tenantry_vault_batch_messages", "Messages that one request to Vault had signed", buckets=(1, 2, 4, 8, 16, 32, 64, 128)
)
KEY_STORE_DOWN = Gauge("tenantry_key_store_down", "1 while the key store is down and is asked only now and then, else 0")
KEY_STORE_SPARED = Counter("tenantry_key_store_spared_total", "Calls refused at once, because the key store is down")

FAILURE_REASONS: Final = ("away", "busy", "mount", "refused", "sealed", "timeout", "trouble")
"""What `VAULT_FAILURES` tells apart. Each begins at 0: Prometheus sees no increase in a series that begins at 5."""

for _reason in FAILURE_REASONS:
    VAULT_FAILURES.labels(_reason)
