"""The platform's board: is everything up, do events flow, are people answered."""

from __future__ import annotations

from typing import Final

from dashboards.boards import promql
from dashboards.boards.alerts import LAG_RECORDS
from dashboards.boards.grafana import Board, Panel, Row, expression
from dashboards.metrics import HTTP_SECONDS, PUBLISHED, ROTATIONS_DUE, TENANTS
from streams.metrics import (
    BACKLOGS,
    DEAD_LETTERS_SEEN,
    DEAD_LETTERS_TOTAL,
    EVENTS_INDEXED,
    EVENTS_ROUTED,
    INDEX_WRITE_SECONDS,
    PROCESSOR_LAG,
    PROCESSOR_RETRIES,
    PROCESSORS_RUNNING,
)

_OURS: Final = f'{{job=~"{promql.JOBS}"}}'


def _stat(title: str, about: str, promql_now: str, alarming: float | None = None) -> Panel:
    return Panel(title=title, about=about, queries=[expression(promql_now, now=True)], kind="stat", alarming=alarming, width=4, height=4)


STATE: Final = Row(
    title="State",
    panels=[
        _stat("Processes", "API and workers that answer Prometheus", f"sum({promql.UP})"),
        _stat("Processors", "Router, audit and index processors that run, in all processes", promql.total(PROCESSORS_RUNNING)),
        _stat("Tenants", "Tenants that are registered", promql.worst(TENANTS)),
        _stat("Backlogs", "Tenants whose index is behind the log and is being caught up", promql.worst(BACKLOGS), 1),
        _stat("Dead letters, last hour", "Events that could not be placed", promql.increase(DEAD_LETTERS_TOTAL, "1h"), 1),
        _stat("Rotations due", "Tenants whose key ring needs something that is not done yet", promql.worst(ROTATIONS_DUE), 1),
    ],
)

EVENTS: Final = Row(
    title="Events",
    panels=[
        Panel(
            title="Routed",
            about="Raw events a second that found their tenant",
            queries=[expression(promql.per_second(EVENTS_ROUTED), "routed")],
        ),
        Panel(
            title="Indexed",
            about="Events a second that were written to a search index; duplicates came again after a restart, and changed nothing",
            queries=[expression(promql.per_second(EVENTS_INDEXED, "result", "isolation"), "{{result}}, {{isolation}}")],
        ),
        Panel(
            title="Dead letters",
            about="Events a second that could not be placed, by reason",
            queries=[expression(promql.per_second(DEAD_LETTERS_TOTAL, "reason"), "{{reason}}")],
        ),
        Panel(
            title="Lag",
            about="Records of its stream that a processor has not passed",
            queries=[expression(promql.worst(PROCESSOR_LAG, "processor"), "{{processor}}")],
            alarming=LAG_RECORDS,
        ),
        Panel(
            title="Retries",
            about="Batches a second that a processor tried again: what it reads or writes is in trouble",
            queries=[expression(promql.per_second(PROCESSOR_RETRIES, "processor"), "{{processor}}")],
        ),
        Panel(
            title="Time to write a batch",
            about="To the search indexes, durably: the median, and what one in twenty exceeds",
            queries=[expression(promql.quantile(share, INDEX_WRITE_SECONDS), name) for share, name in ((0.5, "median"), (0.95, "95 %"))],
            unit="s",
        ),
        Panel(
            title="Dead letters that workers told of",
            about="As they came to the stream, whoever wrote them; some are counted twice",
            queries=[expression(promql.per_second(DEAD_LETTERS_SEEN, "reason"), "{{reason}}")],
        ),
    ],
)

ANSWERS: Final = Row(
    title="Answers",
    panels=[
        Panel(
            title="Requests",
            about="Of API and console, a second, by the class of their status",
            queries=[expression(promql.observed(HTTP_SECONDS, "status"), "{{status}}")],
            unit="reqps",
        ),
        Panel(
            title="Time to answer",
            about="What one request in twenty exceeds, by method",
            queries=[expression(promql.quantile(0.95, HTTP_SECONDS, "method"), "{{method}}")],
            unit="s",
        ),
        Panel(
            title="Public documents",
            about="Requests a second for a JWKS or a discovery document, by status; 304: whoever asked had it already",
            queries=[expression(promql.per_second(PUBLISHED, "status"), "{{status}}")],
            unit="reqps",
        ),
    ],
)

PROCESSES: Final = Row(
    title="Processes",
    panels=[
        Panel(
            title="CPU",
            about="Cores that each process uses; one can't use much more than one",
            queries=[expression(f"rate(process_cpu_seconds_total{_OURS}[{promql.GRAFANA_WINDOW}])", "{{job}} {{instance}}")],
        ),
        Panel(
            title="Memory",
            about="Resident, of each process",
            queries=[expression(f"process_resident_memory_bytes{_OURS}", "{{job}} {{instance}}")],
            unit="bytes",
        ),
        Panel(
            title="Open files",
            about="Connections and files, of what each process may open",
            queries=[expression(f"process_open_fds{_OURS} / process_max_fds{_OURS}", "{{job}} {{instance}}")],
            unit="percentunit",
            alarming=0.8,
        ),
    ],
)

PLATFORM: Final = Board(
    uid="tenantry-platform",
    title="Tenantry: platform",
    about="Is everything up, do events flow, are people answered. No metric names a tenant; a tenant's own events are in its own board.",
    rows=[STATE, EVENTS, ANSWERS, PROCESSES],
)
