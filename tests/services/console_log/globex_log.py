"""Globex's log, as an analyst finds it in the console."""

from __future__ import annotations

import html
import re
from typing import Any

from tests.platforms import Site, keycloak
from tests.services.console_browser import Browser

REALM = keycloak("globex")["realm_id"]
HOSTILE = '"><script>alert(1)</script>\x1b[31m\u202e=cmd'


def login(identifier: str, second: int, **more: Any) -> dict[str, Any]:
    """A sign-in at Globex's realm."""
    return {"id": identifier, "time": 1_795_000_000_000 + 1000 * second, "type": "LOGIN", "realmId": REALM, **more}


async def found(here: Site, q: str) -> list[dict[str, Any]]:
    """What a search of Globex's log finds, once everything is indexed."""
    await here.settled()
    events: list[dict[str, Any]] = (await here.operator.get("/v1/tenants/globex/events", params={"q": q})).json()["events"]
    return events


async def completed(analyst: Browser, q: str, **parameters: str) -> list[str]:
    """What can stand at the end of the query."""
    answer = await analyst.client.get("/console/globex/log/completion", params={"q": q, "at": str(len(q)), "range": "all", **parameters})
    assert answer.status_code == 200, answer.text
    return [choice["insert"] for choice in answer.json()["choices"]]


def exports(page: str) -> dict[str, str]:
    """The exports that a page links, by their formats."""
    links = [html.unescape(link) for link in re.findall(r'href="([^"]+/log/export\?[^"]+)"', page)]
    return {link.rpartition("format=")[2]: link for link in links}
