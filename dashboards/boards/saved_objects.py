"""A tenant's saved objects for OpenSearch Dashboards: an index pattern, and for each subject pictures, a list of events and a dashboard.

One JSON object a line, as its import takes them. The forms are those of the 2.x line, whose last changes were made in the versions under
`migrationVersion`: an object without one would be taken for one of Kibana 5, and be changed until it is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from dashboards.boards.question import TIME, Question, Shape, Subject
from dashboards.boards.subjects import SUBJECTS
from dashboards.boards.visualizations import vis_state
from streams.fields import FIELDS, Field, FieldType

MIGRATIONS: Final = {"index-pattern": "7.6.0", "visualization": "7.10.0", "search": "7.9.3", "dashboard": "7.9.3"}
PANEL_VERSION: Final = "2.19.4"
_INDEX: Final = "kibanaSavedObjectMeta.searchSourceJSON.index"
_COLUMNS: Final = 48
_SIZES: Final = {Shape.COUNT: (16, 7), Shape.TIMELINE: (48, 12), Shape.TOP: (16, 14)}
_LIST_SIZE: Final = (48, 20)
_TYPES: Final = {
    FieldType.KEYWORD: ("string", "keyword"),
    FieldType.TEXT: ("string", "text"),
    FieldType.DATE: ("date", "date"),
    FieldType.IP: ("ip", "ip"),
}
_UNCOUNTED: Final = frozenset({"event.id", "log.position"})
"""Keywords that nobody can count: they differ in each event, and have no doc values."""


@dataclass(frozen=True, slots=True)
class TenantObjects:
    """Names a tenant's objects. A tenant id has no underscore, so no two tenants' are called alike, and all may be in one place.

    Attributes:
        tenant: whose they are.
        index: the alias by which the tenant's events are searched; a pooled tenant's is filtered by OpenSearch.
    """

    tenant: str
    index: str

    def ndjson(self) -> str:
        """All of them, in the order in which they refer to each other."""
        return "".join(json.dumps(found, ensure_ascii=False) + "\n" for found in self.all())

    def all(self) -> Iterator[dict[str, Any]]:
        """The objects."""
        yield self._index_pattern()
        for subject in SUBJECTS:
            for question in subject.questions:
                yield self._visualization(question)
            yield self._search(subject)
            yield self._dashboard(subject)

    def _id(self, name: str) -> str:
        return f"tenantry_{self.tenant}_{name}"

    def _title(self, title: str) -> str:
        return f"{self.tenant}: {title}"

    def _object(self, kind: str, name: str, attributes: Mapping[str, Any], references: list[dict[str, str]]) -> dict[str, Any]:
        return {
            "type": kind,
            "id": self._id(name),
            "attributes": attributes,
            "references": references,
            "migrationVersion": {kind: MIGRATIONS[kind]},
        }

    def _index_pattern(self) -> dict[str, Any]:
        fields = [_field(field) for field in FIELDS if field.type in _TYPES]
        attributes = {"title": self.index, "timeFieldName": TIME, "fields": json.dumps(fields)}
        return self._object("index-pattern", "log", attributes, [])

    def _visualization(self, question: Question) -> dict[str, Any]:
        title = self._title(question.title)
        attributes = {
            "title": title,
            "description": question.query,
            "version": 1,
            "visState": json.dumps(vis_state(question, title)),
            "uiStateJSON": "{}",
            "kibanaSavedObjectMeta": _source(question.query),
        }
        return self._object("visualization", question.id, attributes, [self._pattern()])

    def _search(self, subject: Subject) -> dict[str, Any]:
        attributes = {
            "title": self._title(f"{subject.title}, the events"),
            "description": subject.query,
            "version": 1,
            "hits": 0,
            "columns": list(subject.columns),
            "sort": [[TIME, "desc"]],
            "kibanaSavedObjectMeta": _source(subject.query),
        }
        return self._object("search", f"{subject.id}-events", attributes, [self._pattern()])

    def _dashboard(self, subject: Subject) -> dict[str, Any]:
        shown = [("visualization", question.id, _SIZES[question.shape]) for question in subject.questions]
        shown.append(("search", f"{subject.id}-events", _LIST_SIZE))
        panels: list[dict[str, Any]] = []
        x = y = height = 0
        for number, (_, _, (width, high)) in enumerate(shown):
            if x + width > _COLUMNS:
                x, y, height = 0, y + height, 0
            grid = {"x": x, "y": y, "w": width, "h": high, "i": str(number)}
            panel = {"panelIndex": str(number), "gridData": grid, "version": PANEL_VERSION, "embeddableConfig": {}}
            panels.append({**panel, "panelRefName": f"panel_{number}"})
            x, height = x + width, max(height, high)
        attributes = {
            "title": self._title(subject.title),
            "description": subject.about,
            "version": 1,
            "hits": 0,
            "panelsJSON": json.dumps(panels),
            "optionsJSON": json.dumps({"useMargins": True, "hidePanelTitles": False}),
            "timeRestore": True,
            "timeFrom": "now-7d",
            "timeTo": "now",
            "refreshInterval": {"pause": True, "value": 0},
            "kibanaSavedObjectMeta": {"searchSourceJSON": json.dumps({"query": _lucene(""), "filter": []})},
        }
        references = [{"name": f"panel_{number}", "type": kind, "id": self._id(name)} for number, (kind, name, _) in enumerate(shown)]
        return self._object("dashboard", subject.id, attributes, references)

    def _pattern(self) -> dict[str, str]:
        return {"name": _INDEX, "type": "index-pattern", "id": self._id("log")}


def _lucene(query: str) -> dict[str, str]:
    return {"query": query, "language": "lucene"}


def _source(query: str) -> dict[str, str]:
    return {"searchSourceJSON": json.dumps({"query": _lucene(query), "filter": [], "indexRefName": _INDEX})}


def _field(field: Field) -> dict[str, Any]:
    """One of the list of fields, as OpenSearch Dashboards would make it itself from what OpenSearch says of the index."""
    kind, searched_as = _TYPES[field.type]
    counted = field.type is not FieldType.TEXT and field.name not in _UNCOUNTED
    return {
        "name": field.name,
        "type": kind,
        "esTypes": [searched_as],
        "count": 0,
        "scripted": False,
        "searchable": True,
        "aggregatable": counted,
        "readFromDocValues": counted,
    }
