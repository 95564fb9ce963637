"""A tenant's board in Grafana: the same questions as in OpenSearch Dashboards, asked by Grafana's OpenSearch data source.

A data source is one tenant's: it asks as the tenant's own user, who reads the tenant's own index and nothing else. So the board has no
tenant in it, and can't be made to show another one's events.
"""

from __future__ import annotations

from typing import Any, Final

from dashboards.boards.grafana import Board, Kind, Panel, Query, Row
from dashboards.boards.question import TIME, Question, Shape, Subject
from dashboards.boards.subjects import SUBJECTS

SOURCE: Final = "grafana-opensearch-datasource"
_KINDS: Final[dict[Shape, Kind]] = {Shape.COUNT: "stat", Shape.TIMELINE: "timeseries", Shape.TOP: "table"}
_WIDTHS: Final = {Shape.COUNT: 8, Shape.TIMELINE: 24, Shape.TOP: 8}


def _query(question: Question) -> Query:
    """The question as the data source has it: buckets from the outermost to the innermost, in each a count."""
    over_time: dict[str, Any] = {"id": "2", "type": "date_histogram", "field": TIME, "settings": {"interval": "auto", "min_doc_count": "0"}}
    values: dict[str, Any] = {
        "id": "3",
        "type": "terms",
        "field": question.by,
        "settings": {"size": str(question.most), "order": "desc", "orderBy": "_count", "min_doc_count": "1"},
    }
    buckets = {Shape.COUNT: [over_time], Shape.TIMELINE: [values, over_time], Shape.TOP: [values]}
    return {
        "queryType": "lucene",
        "luceneQueryType": "Metric",
        "query": question.query or "*",
        "timeField": TIME,
        "metrics": [{"id": "1", "type": "count"}],
        "bucketAggs": buckets[question.shape],
    }


def _row(subject: Subject) -> Row:
    panels = [
        Panel(
            title=question.title,
            about=f"{question.query or 'all events'}",
            queries=[_query(question)],
            kind=_KINDS[question.shape],
            reduced="sum",
            width=_WIDTHS[question.shape],
            height=4 if question.shape is Shape.COUNT else 8,
        )
        for question in subject.questions
    ]
    return Row(title=subject.title, panels=panels)


TENANT: Final = Board(
    uid="tenantry-tenant",
    title="Tenantry: a tenant's log",
    about="What happened at the tenant whose data source is chosen.",
    rows=[_row(subject) for subject in SUBJECTS],
    source=SOURCE,
    since="now-7d",
)
