"""The metrics of `streams`, by the names that boards and alerts use.

A counter with labels begins at 0 for each value that is known beforehand: Prometheus sees no increase in a series that begins at 5.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from streams.dead_letters import Reason

EVENTS_ROUTED = Counter("tenantry_events_routed_total", "Raw events that found their tenant")
DEAD_LETTERS_TOTAL = Counter("tenantry_dead_letters_total", "Raw events that could not be placed", ["reason"])
EVENTS_INDEXED = Counter("tenantry_events_indexed_total", "Events written to a search index", ["result", "isolation"])
INDEX_WRITE_SECONDS = Histogram("tenantry_index_write_seconds", "Time to write one batch of segments to the search indexes, durably")
PROCESSOR_RETRIES = Counter("tenantry_processor_retries_total", "Batches that a processor tried again", ["processor"])
PROCESSOR_LAG = Gauge("tenantry_processor_lag_records", "Records of its stream that a processor has not passed", ["processor"])
PROCESSORS_RUNNING = Gauge(
    "tenantry_processors_running", "Processors that run in this process: 0 where workers do it, less when one has ended"
)
BACKLOGS = Gauge("tenantry_backlogs", "Tenants whose index is behind the log and is being caught up")
DEAD_LETTERS_SEEN = Counter(
    "tenantry_dead_letters_seen_total", "Dead letters that a worker has told of; some may be counted twice", ["reason"]
)

for _reason in Reason:
    DEAD_LETTERS_TOTAL.labels(_reason)
    DEAD_LETTERS_SEEN.labels(_reason)
