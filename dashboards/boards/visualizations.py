"""How OpenSearch Dashboards keeps a picture: its `visState`, of the types `metric`, `histogram` and `table`."""

from __future__ import annotations

from typing import Any, Final

from dashboards.boards.question import TIME, Question, Shape

_TYPES: Final = {Shape.COUNT: "metric", Shape.TIMELINE: "histogram", Shape.TOP: "table"}
_COUNT: Final = "1"
"""The id of the aggregation that counts; the others are ordered by it."""
_AXIS: Final = {"show": True, "style": {}, "title": {}}


def vis_state(question: Question, title: str) -> dict[str, Any]:
    """The picture of the question."""
    params = {Shape.COUNT: _metric, Shape.TIMELINE: _histogram, Shape.TOP: _table}[question.shape]()
    return {"title": title, "type": _TYPES[question.shape], "aggs": _aggregations(question), "params": params}


def _aggregations(question: Question) -> list[dict[str, Any]]:
    count = _aggregation(_COUNT, "count", "metric", {"customLabel": question.title} if question.shape is Shape.COUNT else {})
    terms = {
        "field": question.by,
        "orderBy": _COUNT,
        "order": "desc",
        "size": question.most,
        "otherBucket": False,
        "otherBucketLabel": "Other",
        "missingBucket": False,
        "missingBucketLabel": "Missing",
    }
    match question.shape:
        case Shape.COUNT:
            return [count]
        case Shape.TIMELINE:
            times = {
                "field": TIME,
                "useNormalizedOpenSearchInterval": True,
                "scaleMetricValues": False,
                "interval": "auto",
                "drop_partials": False,
                "min_doc_count": 1,
                "extended_bounds": {},
            }
            return [count, _aggregation("2", "date_histogram", "segment", times), _aggregation("3", "terms", "group", terms)]
        case Shape.TOP:
            return [count, _aggregation("2", "terms", "bucket", terms)]


def _aggregation(number: str, kind: str, schema: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"id": number, "enabled": True, "type": kind, "schema": schema, "params": params}


def _metric() -> dict[str, Any]:
    return {
        "type": "metric",
        "addTooltip": True,
        "addLegend": False,
        "metric": {
            "percentageMode": False,
            "useRanges": False,
            "colorSchema": "Green to Red",
            "metricColorMode": "None",
            "colorsRange": [{"from": 0, "to": 10000}],
            "labels": {"show": True},
            "invertColors": False,
            "style": {"bgFill": "#000", "bgColor": False, "labelColor": False, "subText": "", "fontSize": 40},
        },
    }


def _histogram() -> dict[str, Any]:
    labels = {"show": True, "rotate": 0, "filter": False, "truncate": 100}
    return {
        "type": "histogram",
        "grid": {"categoryLines": False},
        "categoryAxes": [
            {**_AXIS, "id": "CategoryAxis-1", "type": "category", "position": "bottom", "scale": {"type": "linear"}, "labels": labels}
        ],
        "valueAxes": [
            {
                **_AXIS,
                "id": "ValueAxis-1",
                "name": "LeftAxis-1",
                "type": "value",
                "position": "left",
                "scale": {"type": "linear", "mode": "normal"},
                "labels": labels,
                "title": {"text": "Events"},
            }
        ],
        "seriesParams": [
            {
                "show": True,
                "type": "histogram",
                "mode": "stacked",
                "data": {"label": "Events", "id": _COUNT},
                "valueAxis": "ValueAxis-1",
                "drawLinesBetweenPoints": True,
                "showCircles": True,
            }
        ],
        "addTooltip": True,
        "addLegend": True,
        "legendPosition": "right",
        "times": [],
        "addTimeMarker": False,
        "labels": {"show": False},
        "thresholdLine": {"show": False, "value": 10, "width": 1, "style": "full", "color": "#E7664C"},
    }


def _table() -> dict[str, Any]:
    return {
        "perPage": 10,
        "showPartialRows": False,
        "showMetricsAtAllLevels": False,
        "sort": {"columnIndex": None, "direction": None},
        "showTotal": False,
        "totalFunc": "sum",
        "percentageCol": "",
    }
