"""What is built, is checked in as it is built; and what it names is declared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client import REGISTRY

import dashboards.metrics
import keyvault.metrics
import streams.metrics
from dashboards.boards import promql
from dashboards.boards.build import BOARDS, files
from dashboards.boards.grafana import COLUMNS
from dashboards.boards.question import Question, Shape
from dashboards.boards.saved_objects import MIGRATIONS, TenantObjects
from dashboards.boards.subjects import SUBJECTS
from streams.fields import BY_NAME
from streams.query.parser import parse
from tests.processes import tenantry

ROOT: Final = Path(__file__).parents[2]
METRICS: Final = [
    value
    for module in (streams.metrics, keyvault.metrics, dashboards.metrics)
    for value in vars(module).values()
    if isinstance(value, promql.Metric)
]
OBJECTS: Final = list(TenantObjects("acme", "tenantry-t-acme").all())
QUESTIONS: Final = [question for subject in SUBJECTS for question in subject.questions]


async def test_what_is_checked_in_is_what_is_built() -> None:
    checked = await tenantry("dashboards", "build", "--check", "--out", str(ROOT / "deploy"), data=Path("unused"))
    assert (checked.code, checked.err) == (0, "")


async def test_a_stale_file_is_found_and_named_and_built_anew(tmp_path: Path) -> None:
    command = ("dashboards", "build", "--out", str(tmp_path), "--tenant", "acme", "--tenant", "globex", "--json")
    first = await tenantry(*command, data=tmp_path)
    assert first.code == 0, first.err
    assert first.json["made"] == first.json["written"]
    assert (tmp_path / "opensearch/saved-objects/globex.ndjson").exists()
    (changed := tmp_path / "prometheus/alerts.yml").write_text("groups: []\n")
    (missing := tmp_path / "grafana/boards/tenantry-keys.json").unlink()
    checked = await tenantry(*command, "--check", data=tmp_path)
    assert (checked.code, checked.json["stale"]) == (1, [str(changed), str(missing)])
    assert "tenantry dashboards build" in checked.err
    assert not missing.exists()
    assert (await tenantry(*command, data=tmp_path)).json["written"] == [str(changed), str(missing)]
    assert (await tenantry(*command, data=tmp_path)).json["written"] == []


async def test_indexes_are_called_as_the_settings_say(tmp_path: Path) -> None:
    url = "opensearch://127.0.0.1:9200/eu"
    built = await tenantry("dashboards", "build", "--out", str(tmp_path), "--tenant", "acme", data=tmp_path, index_url=url)
    assert built.code == 0, built.err
    first = json.loads((tmp_path / "opensearch/saved-objects/acme.ndjson").read_text().splitlines()[0])
    assert first["attributes"]["title"] == "eu-t-acme"


@pytest.mark.parametrize("wrong", ["../acme", "Acme", "a_b", ""])
async def test_what_is_no_tenant_id_is_refused(tmp_path: Path, wrong: str) -> None:
    refused = await tenantry("dashboards", "build", "--out", str(tmp_path), "--tenant", wrong, data=tmp_path)
    assert refused.code == 1
    assert not (tmp_path / "prometheus").exists()


def test_every_metric_of_ours_is_on_a_board() -> None:
    shown = json.dumps([board.render() for board in BOARDS])
    assert [promql.series(metric) for metric in METRICS if promql.series(metric) not in shown] == []


def test_every_metric_of_ours_is_declared_where_boards_see_it() -> None:
    declared = {promql.series(metric) for metric in METRICS}
    found = {f"{one.name}_total" if one.type == "counter" else one.name for one in REGISTRY.collect()}
    assert {name for name in found if name.startswith("tenantry_")} <= declared


def test_the_dashboards_page_has_every_metric() -> None:
    page = (ROOT / "docs/dashboards.md").read_text()
    for metric in METRICS:
        [described] = metric.describe()
        labels = ", ".join(f"`{label}`" for label in metric._labelnames)
        row = f"| `{promql.series(metric)}` | {described.type} | {labels} | {described.documentation} |".replace("|  |", "| |")
        assert row in page
    assert page.count("| `tenantry_") == len(METRICS)


def test_no_metric_names_a_tenant() -> None:
    for one in REGISTRY.collect():
        for sample in one.samples:
            assert "tenant" not in sample.labels, one.name


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_panels_have_places_of_their_own(board: Any) -> None:
    taken: dict[tuple[int, int], int] = {}
    panels = board.render()["panels"]
    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= COLUMNS
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["id"]) == panel["id"], panel["title"]


def test_every_query_is_one_of_the_declared_fields() -> None:
    for question in QUESTIONS:
        parse(question.query, now=0)
    for subject in SUBJECTS:
        parse(subject.query, now=0)
        assert set(subject.columns) <= set(BY_NAME)
    names = [question.id for question in QUESTIONS] + [subject.id for subject in SUBJECTS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("field", ["event.id", "message", "idp"])
def test_nobody_counts_by_what_can_t_be_counted(field: str) -> None:
    with pytest.raises(ValueError, match="can't be counted by"):
        Question(id="x", title="x", query="", shape=Shape.TOP, by=field)


def test_saved_objects_refer_to_each_other_only_and_never_to_another_tenant() -> None:
    known = set()
    for found in OBJECTS:
        assert found["migrationVersion"] == {found["type"]: MIGRATIONS[found["type"]]}
        for reference in found["references"]:
            assert (reference["type"], reference["id"]) in known, "what it refers to comes before it"
        known.add((found["type"], found["id"]))
        assert found["id"].startswith("tenantry_acme_")
    assert len({found["id"] for found in OBJECTS}) == len({found["attributes"]["title"] for found in OBJECTS}) == len(OBJECTS)


def test_each_reference_is_the_one_that_the_object_names() -> None:
    for found in OBJECTS:
        source = json.loads(found["attributes"].get("kibanaSavedObjectMeta", {}).get("searchSourceJSON", "{}"))
        named = [source["indexRefName"]] if "indexRefName" in source else []
        named += [panel["panelRefName"] for panel in json.loads(found["attributes"].get("panelsJSON", "[]"))]
        assert [reference["name"] for reference in found["references"]] == named


def test_a_picture_s_aggregations_are_of_the_fields_of_its_index_pattern() -> None:
    fields = {field["name"]: field for field in json.loads(OBJECTS[0]["attributes"]["fields"])}
    pictures = [json.loads(found["attributes"]["visState"]) for found in OBJECTS if found["type"] == "visualization"]
    assert len(pictures) == len(QUESTIONS)
    for picture in pictures:
        assert [one["id"] for one in picture["aggs"]] == [str(number + 1) for number in range(len(picture["aggs"]))]
        for one in picture["aggs"][1:]:
            assert fields[one["params"]["field"]]["aggregatable"], picture["title"]


def test_every_tenant_s_file_is_its_own() -> None:
    made = files(["acme", "globex"], lambda tenant: f"tenantry-t-{tenant}")
    texts = [text for name, text in made.items() if name.suffix == ".ndjson"]
    assert [("globex" in text, "acme" in text) for text in texts] == [(False, True), (True, False)]
