"""What OpenSearch Dashboards and Grafana's data source ask OpenSearch for a built object, as their sources have it.

OpenSearch Dashboards 2.19: `src/plugins/data/common/search` (aggregations, search source) and `opensearch_query` (queries of Lucene).
Grafana: `src/QueryBuilder.ts` of grafana/opensearch-datasource.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

TIME: Final = "@timestamp"
_INTERVAL: Final = "12h"  # what `auto` comes to depends on the width of the picture


def of_visualization(found: Mapping[str, Any], since: str, until: str) -> dict[str, Any]:
    """The body of the search that a visualization makes."""
    picture = json.loads(found["attributes"]["visState"])
    asked: dict[str, Any] = {"size": 0, "stored_fields": ["*"], "query": _query(found, since, until), "_source": {"excludes": []}}
    inner = asked
    for one in picture["aggs"]:
        if one["type"] == "count":  # every bucket is counted anyway
            continue
        inner["aggs"] = {one["id"]: _aggregation(one)}
        inner = inner["aggs"][one["id"]]
    return asked


def of_search(found: Mapping[str, Any], since: str, until: str) -> dict[str, Any]:
    """The body of the search that a list of events makes."""
    attributes = found["attributes"]
    return {
        "size": 500,
        "version": True,
        "sort": [{name: {"order": order, "unmapped_type": "boolean"}} for name, order in attributes["sort"]],
        "stored_fields": ["*"],
        "script_fields": {},
        "docvalue_fields": [{"field": TIME, "format": "date_time"}, {"field": "event.ingested", "format": "date_time"}],
        "_source": {"excludes": []},
        "query": _query(found, since, until),
        "highlight": {
            "pre_tags": ["<b>"],
            "post_tags": ["</b>"],
            "fields": {"*": {}},
            "fragment_size": 2147483647,
        },
    }


def of_target(target: Mapping[str, Any], since: int, until: int) -> dict[str, Any]:
    """The body of the search that a target of Grafana's data source makes; times in epoch milliseconds."""
    times = {"range": {target["timeField"]: {"gte": since, "lte": until, "format": "epoch_millis"}}}
    text = {"query_string": {"analyze_wildcard": True, "query": target["query"]}}
    asked: dict[str, Any] = {"size": 0, "query": {"bool": {"filter": [times, text]}}}
    inner = asked
    for one in target["bucketAggs"]:
        settings = one["settings"]
        if one["type"] == "date_histogram":
            bounds = {"min": since, "max": until}
            made = {
                "fixed_interval": _INTERVAL,
                "field": one["field"],
                "min_doc_count": 0,
                "extended_bounds": bounds,
                "format": "epoch_millis",
            }
        else:
            order = {settings["orderBy"]: settings["order"]}
            made = {"field": one["field"], "size": int(settings["size"]), "order": order, "min_doc_count": int(settings["min_doc_count"])}
        inner["aggs"] = {one["id"]: {one["type"]: made}}
        inner = inner["aggs"][one["id"]]
    return asked


def answers(asked: Mapping[str, Any], answer: Mapping[str, Any]) -> int:
    """How many events are in the innermost buckets, or among the hits of what has none."""
    if not asked.get("aggs"):
        return int(answer["hits"]["total"]["value"])
    return _counted(asked["aggs"], answer["aggregations"])


def _counted(asked: Mapping[str, Any], found: Mapping[str, Any]) -> int:
    [(name, aggregation)] = asked.items()
    buckets = found[name]["buckets"]
    if "aggs" in aggregation:
        return sum(_counted(aggregation["aggs"], bucket) for bucket in buckets)
    return sum(bucket["doc_count"] for bucket in buckets)


def _query(found: Mapping[str, Any], since: str, until: str) -> dict[str, Any]:
    query = json.loads(found["attributes"]["kibanaSavedObjectMeta"]["searchSourceJSON"])["query"]
    assert query["language"] == "lucene"
    text = query["query"].strip()
    must = [{"query_string": {"query": text, "analyze_wildcard": True, "time_zone": "UTC"}}] if text else []
    times = {"range": {TIME: {"gte": since, "lte": until, "format": "strict_date_optional_time"}}}
    return {"bool": {"must": must, "filter": [*([] if text else [{"match_all": {}}]), times], "should": [], "must_not": []}}


def _aggregation(one: Mapping[str, Any]) -> dict[str, Any]:
    params = one["params"]
    if one["type"] == "date_histogram":
        times = {"field": params["field"], "fixed_interval": _INTERVAL, "time_zone": "UTC", "min_doc_count": params["min_doc_count"]}
        return {"date_histogram": times}
    assert one["type"] == "terms"
    assert params["orderBy"] == "1", "the count, which comes first"
    return {"terms": {"field": params["field"], "order": {"_count": params["order"]}, "size": params["size"]}}
