#!/usr/bin/env python3
"""Writes the events of one index as their source sent them, for `tenantry ingest`: for when Kafka was lost and OpenSearch was not.

    raw_events.py URL INDEX PROVIDER --user admin --password-file FILE --cafile ca.pem > events.ndjson

Needs nothing but Python.
"""

from __future__ import annotations

import argparse
import base64
import json
import ssl
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Ask = Callable[[str, dict[str, Any]], dict[str, Any]]
_PAGE = 1000
_KEPT = "5m"


def asker(url: str, user: str, password: str, cafile: str) -> Ask:
    """What asks OpenSearch."""
    if not url.startswith("https://"):
        raise SystemExit("the URL must begin with https://")
    context = ssl.create_default_context(cafile=cafile)
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {token}", "Content-Type": "application/json"}

    def ask(path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(f"{url.rstrip('/')}{path}", json.dumps(body).encode(), headers)  # noqa: S310 -- https, see above
        with urllib.request.urlopen(request, context=context, timeout=120) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer)
            return found

    return ask


def raw_events(ask: Ask, index: str, provider: str) -> Iterator[dict[str, Any]]:
    """The source's own objects, each under `idp` of its document, in the order in which they were indexed."""
    query = {"size": _PAGE, "sort": ["_doc"], "query": {"term": {"event.provider": provider}}}
    page = ask(f"/{index}/_search?scroll={_KEPT}", query)
    while hits := page["hits"]["hits"]:
        for hit in hits:
            document = hit["_source"]
            if whole := document.get("tenantry", {}).get("whole"):  # what is indexed was cut; this is all of it
                document = json.loads(whole)
            yield document["idp"]
        page = ask("/_search/scroll", {"scroll": _KEPT, "scroll_id": page["_scroll_id"]})


def main() -> None:
    """Reads the arguments, and writes one event a line."""
    parser = argparse.ArgumentParser(description="Writes the events of one index as their source sent them.")
    parser.add_argument("url")
    parser.add_argument("index")
    parser.add_argument("provider", help="keycloak, janssen, auth0, okta or cloudevents")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password-file", required=True, type=Path)
    parser.add_argument("--cafile", required=True)
    given = parser.parse_args()
    ask = asker(given.url, given.user, given.password_file.read_text().strip(), given.cafile)
    count = 0
    for event in raw_events(ask, given.index, given.provider):
        sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")
        count += 1
    sys.stderr.write(f"{count} events\n")


if __name__ == "__main__":
    main()
