"""Grafana's boards: panels in rows, as its dashboard model has them (https://grafana.com/docs/grafana/latest/visualizations/dashboards/build-dashboards/view-dashboard-json-model/)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

SCHEMA_VERSION: Final = 39
"""Of the dashboard model; newer Grafanas migrate it when they load it."""
COLUMNS: Final = 24
_ROW_HEIGHT: Final = 1
_SOURCE: Final = "source"

Kind = Literal["timeseries", "stat", "bargauge", "table"]
Query = Mapping[str, Any]
"""What one target of a panel asks, without its `refId` and source."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One picture.

    Attributes:
        title: what it shows.
        about: one sentence that says how to read it.
        queries: what it asks; see `expression`.
        unit: one of Grafana's: `short`, `s`, `reqps`, `percentunit`.
        alarming: from which value on it is red, if any is.
        reduced: of what is asked over time, the one number that a `stat` shows.
        width: of 24 columns.
        height: in Grafana's units of 30 pixels.
    """

    title: str
    about: str
    queries: Sequence[Query]
    kind: Kind = "timeseries"
    unit: str = "short"
    alarming: float | None = None
    reduced: Literal["lastNotNull", "sum"] = "lastNotNull"
    width: int = 8
    height: int = 8

    def render(self, number: int, x: int, y: int, source: Mapping[str, str]) -> dict[str, Any]:
        """The panel as Grafana reads it, at a place of the grid."""
        steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
        if self.alarming is not None:
            steps.append({"color": "red", "value": self.alarming})
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.about,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "datasource": source,
            "targets": [{"refId": chr(ord("A") + index), "datasource": source, **query} for index, query in enumerate(self.queries)],
            "fieldConfig": {
                "defaults": {"unit": self.unit, "min": 0, "thresholds": {"mode": "absolute", "steps": steps}, **_looks(self.kind)},
                "overrides": [],
            },
            "options": _options(self.kind, self.reduced),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Panels under a heading, from the left to the right, in as many lines as they need."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One dashboard.

    Attributes:
        uid: part of its address, and what it is replaced by.
        source: the type of its data source, which people choose at its top.
        variables: other variables, as Grafana's `templating` has them.
        since: how far back it looks at first.
    """

    uid: str
    title: str
    about: str
    rows: Sequence[Row]
    source: str = "prometheus"
    variables: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    since: str = "now-6h"

    def render(self) -> dict[str, Any]:
        """The board as Grafana reads it. It has no `id` and no version of its own: those are the reading Grafana's."""
        source = {"name": _SOURCE, "label": "Source", "type": "datasource", "query": self.source, "refresh": 1, "current": {}, "hide": 0}
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.about,
            "tags": ["tenantry"],
            "schemaVersion": SCHEMA_VERSION,
            "editable": True,
            "graphTooltip": 1,  # a shared crosshair
            "refresh": "30s",
            "time": {"from": self.since, "to": "now"},
            "timezone": "",
            "templating": {"list": [source, *self.variables]},
            "annotations": {"list": []},
            "links": [{"title": "Tenantry", "type": "dashboards", "tags": ["tenantry"], "asDropdown": True, "keepTime": True}],
            "panels": list(self._panels()),
        }

    def _panels(self) -> Iterator[dict[str, Any]]:
        source = {"type": self.source, "uid": f"${{{_SOURCE}}}"}
        number, y = 0, 0
        for row in self.rows:
            number += 1
            place = {"x": 0, "y": y, "w": COLUMNS, "h": _ROW_HEIGHT}
            yield {"id": number, "type": "row", "title": row.title, "collapsed": False, "gridPos": place, "panels": []}
            y += _ROW_HEIGHT
            x = height = 0
            for panel in row.panels:
                if x + panel.width > COLUMNS:
                    x, y, height = 0, y + height, 0
                number += 1
                yield panel.render(number, x, y, source)
                x, height = x + panel.width, max(height, panel.height)
            y += height


def expression(promql: str, legend: str = "", *, now: bool = False) -> Query:
    """A query of Prometheus: over the time that is looked at, or what it answers now."""
    return {"expr": promql, "legendFormat": legend, "range": not now, "instant": now}


def _looks(kind: Kind) -> dict[str, Any]:
    return {"custom": {"drawStyle": "line", "fillOpacity": 10, "showPoints": "never"}} if kind == "timeseries" else {}


def _options(kind: Kind, reduced: str) -> dict[str, Any]:
    number = {"calcs": [reduced], "fields": "", "values": False}
    match kind:
        case "timeseries":
            return {
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }
        case "stat":
            return {"reduceOptions": number, "colorMode": "value", "graphMode": "area", "textMode": "auto"}
        case "bargauge":
            return {"reduceOptions": number, "orientation": "horizontal", "displayMode": "basic"}
        case "table":
            return {"showHeader": True, "cellHeight": "sm"}
