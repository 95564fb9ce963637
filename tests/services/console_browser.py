"""A browser in front of a running console, without the window."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import httpx

from services.api.app import application
from tests.platforms import Site, keycloak, recorded

OURS = {"Sec-Fetch-Site": "same-origin"}


class Browser:
    """A browser with a session: it keeps cookies, follows redirects, and finds the forms of the page it is on."""

    def __init__(self, running: Site, **headers: str) -> None:
        transport = httpx.ASGITransport(application(running.platform), raise_app_exceptions=False)
        self.client = httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1:8080", headers=OURS | headers, follow_redirects=True
        )
        self.page = httpx.Response(200, text="")

    async def sign_in(self, token: str, **form: str) -> httpx.Response:
        self.page = await self.client.post("/console/-/sign-in", data={"token": token, **form})
        return self.page

    async def open(self, path: str, **parameters: str) -> str:
        self.page = await self.client.get(path, params=parameters or None)
        return self.page.text

    def hidden(self, name: str) -> str:
        found = re.findall(rf'name="{name}" value="([^"]*)"', self.page.text)
        return html.unescape(found[-1])

    async def press(self, path: str, **form: str) -> httpx.Response:
        self.page = await self.client.post(path, data=form)
        return self.page


async def token_of(running: Site, tenant: str, *scopes: str) -> str:
    answer = await running.operator.post(f"/v1/tenants/{tenant}/tokens", json={"name": "-".join(scopes), "scopes": list(scopes)})
    return str(answer.json()["token"])


async def browser(running: Site, tenant: str, *scopes: str) -> Browser:
    found = Browser(running)
    await found.sign_in(await token_of(running, tenant, *scopes))
    return found


def operator_token(running: Site) -> str:
    return running.operator.headers["Authorization"].removeprefix("Bearer ")


async def fill(running: Site, *events: dict[str, Any]) -> None:
    body = b"\n".join(json.dumps(event).encode() for event in events)
    answer = await running.operator.post("/v1/tenants/globex/events", content=body, headers={"Content-Type": "application/x-ndjson"})
    assert answer.status_code == 202, answer.text
    await running.settled()


def of_globex(number: int) -> list[dict[str, Any]]:
    realm = keycloak("globex")["realm_id"]
    return [event for event in recorded("events") if event["realmId"] == realm][:number]
