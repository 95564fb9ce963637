"""The console as a test drives it: a page of a real browser, the API beside it, and what must be true of every page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, Response

from tests.browser.served import settled
from tests.daemon import PATIENCE
from tests.processes import NDJSON

_WAIT_MS: Final = 30_000
"""How long a page may take; a bound, and no measure: the machine may be busy."""
_NOT_OK: Final = "Failed to load resource: the server responded with a status of "
_REPORTED: Final = "Blocked by the Content-Security-Policy: "
_REPORT: Final = f"""
document.addEventListener("securitypolicyviolation", (event) =>
  console.error("{_REPORTED}" + event.effectiveDirective + " " + event.blockedURI + " " + event.sample));
"""
_WIDER: Final = """(width) => [...document.querySelectorAll("body *")]
  .filter((element) => element.getBoundingClientRect().right > width + 0.5
    || (element.scrollWidth > element.clientWidth + 1 && element.clientWidth && getComputedStyle(element).overflowX === "visible"))
  .slice(0, 5)
  .map((element) => element.outerHTML.slice(0, 120))"""
BAD_GATEWAY: Final = 502
"""What only a test answers, in the place of a proxy."""
_AXE: Final = {
    "resultTypes": ["violations"],
    "preload": False,  # the policy lets no script fetch, and nothing of ours needs it
}

Colours = Literal["dark", "light"]


@dataclass(frozen=True)
class View:
    """How somebody looks at the console: CSS pixels, and the colours that their system prefers."""

    width: int
    height: int
    colours: Colours

    def __str__(self) -> str:
        """Its name in the tests' ids."""
        return f"{self.width}-{self.colours}"

    @property
    def phone(self) -> bool:
        """Whether it is held in a hand: touched, and laid out as phones do."""
        return self.width < 600


PHONE_DARK: Final = View(390, 844, "dark")
DESK_LIGHT: Final = View(1440, 900, "light")
PHONE_LIGHT: Final = View(390, 844, "light")
DESK_DARK: Final = View(1440, 900, "dark")

NARROWEST: Final = (PHONE_DARK, *(pytest.param(view, marks=pytest.mark.long) for view in (DESK_LIGHT, PHONE_LIGHT, DESK_DARK)))
"""For what takes long, and shows most where there is the least room; the other views are for `make test-all`."""


class Console:
    """One visitor's browser, with nothing in it yet, in front of the running service.

    Attributes:
        page: the tab that tests use; `context.new_page()` opens another one of the same visitor.
        view: the size and colours.
        url: where the service is, without a slash at the end.
        operator: the operator's token.
    """

    def __init__(self, browser: Browser, view: View, url: str, operator: str) -> None:
        self.view = view
        self.url = url
        self.operator = operator
        self._browser = browser
        self._problems: list[str] = []
        self._answered: set[str] = set()
        self._others: list[Console] = []
        self._http = httpx.Client(base_url=url, timeout=PATIENCE)
        self.context = browser.new_context(
            viewport={"width": view.width, "height": view.height},
            color_scheme=view.colours,
            is_mobile=view.phone,
            has_touch=view.phone,
            reduced_motion="reduce",
            locale="en-GB",
            timezone_id="UTC",
        )
        self.context.set_default_timeout(_WAIT_MS)
        self.context.add_init_script(_REPORT)
        self.context.on("request", self._sent)
        self.context.on("response", self._came)
        self.context.on("page", self._watch)
        self.page = self.context.new_page()

    # -- as a visitor

    def go(self, path: str, status: int = 200) -> Response:
        """Opens a page of the service, and returns when it is loaded; `status` is what it has to answer in the end."""
        response = self.page.goto(self.url + path)
        assert response is not None, f"{path} is the page that was open, at another place"
        assert response.status == status, f"{path} answered {response.status}"
        return response

    def sign_in(self, token: str) -> None:
        """Signs in by the form, after signing out whoever is there, and returns on the first page that the token may see."""
        self.page.goto(f"{self.url}/console")
        if (out := self.page.get_by_role("button", name="Sign out")).count():
            out.click()
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("button", name="Sign out").wait_for()

    def another(self) -> Console:
        """Somebody else's browser, of the same view; it ends with this one."""
        self._others.append(Console(self._browser, self.view, self.url, self.operator))
        return self._others[-1]

    # -- beside the browser

    def api(self, method: str, path: str, json: Any = None, token: str | None = None, **request: Any) -> httpx.Response:
        """Asks the service's API; as the operator, unless it is given another token."""
        headers = {"Authorization": f"Bearer {token if token is not None else self.operator}", **request.pop("headers", {})}
        return self._http.request(method, path, json=json, headers=headers, **request)

    def create(self, tenant: str, **settings: Any) -> str:
        """Creates a tenant of the test's own, with its keys, and answers its id."""
        answer = self.api("PUT", f"/v1/tenants/{tenant}", json={"display_name": tenant.capitalize(), **settings})
        assert answer.status_code in {200, 201}, answer.text
        return tenant

    def token(self, tenant: str, *scopes: str, name: str = "") -> str:
        """A new token of the tenant."""
        answer = self.api("POST", f"/v1/tenants/{tenant}/tokens", json={"name": name or "-".join(scopes), "scopes": list(scopes)})
        assert answer.status_code == 201, answer.text
        made: str = answer.json()["token"]
        return made

    def send(self, tenant: str, events: Iterable[Mapping[str, Any]], source: str = "keycloak") -> None:
        """Sends events to the tenant's log, and returns when they can be found."""
        body = b"".join(json.dumps(event).encode() + b"\n" for event in events)
        answer = self.api("POST", f"/v1/tenants/{tenant}/events", content=body, headers=NDJSON, params={"source": source})
        assert answer.status_code == 202, answer.text
        assert not answer.json().get("refused"), answer.text
        self.settled()

    def settled(self) -> None:
        """Returns when everything that is in the log can be found."""
        settled(self.url, self.operator)

    # -- what must be true of every page

    def check(self) -> None:
        """The page that is open has no fault that a program can see.

        It fits the width; axe-core finds nothing serious or critical; and until now there was no error in the browser's console, none
        in a script, nothing that the Content-Security-Policy had to block, and no request to another host.
        """
        self.fits()
        self.quiet()
        found = Axe().run(self.page, options=_AXE).response
        worst = [one for one in found["violations"] if one["impact"] in {"serious", "critical"}]
        # Text in exactly the colour of its background may be meant to be unseen, says axe, and leaves it to whoever looks.
        worst += [one for one in found["incomplete"] if '"equalRatio"' in json.dumps(one)]
        assert not worst, "\n".join(f"{one['id']}: {one['help']}: {[node['html'] for node in one['nodes'][:5]]}" for one in worst)

    def fits(self) -> None:
        """Nobody has to scroll sideways."""
        width = self.view.width
        wide = self.page.evaluate("document.scrollingElement.scrollWidth")
        assert wide <= width, f"the page is {wide} px wide; beyond {width} px are {self.page.evaluate(_WIDER, width)}"

    def quiet(self) -> None:
        """Until now nothing has gone wrong in any tab, of this visitor or another one."""
        problems = [problem for one in (self, *self._others) for problem in one._problems]
        assert not problems, "\n".join(problems)

    def close(self) -> None:
        """Ends it."""
        for one in self._others:
            one.close()
        self.context.close()
        self._http.close()

    def _watch(self, page: Page) -> None:
        page.on("console", self._said)
        page.on("pageerror", lambda error: self._problems.append(f"a script failed: {error}"))
        page.on("dialog", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        if message.text.startswith(_NOT_OK) and message.location["url"] in self._answered:
            return  # a page may answer 404; that its tab says so is no fault
        self._problems.append(f"{message.text} ({message.location['url']})")

    def _asked(self, dialog: Dialog) -> None:
        self._problems.append(f"a script opened a box: {dialog.message}")
        dialog.dismiss()

    def _sent(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob", "about"} and parts.netloc != urlsplit(self.url).netloc:
            self._problems.append(f"{request.method} {request.url} goes to another host")

    def _came(self, response: Response) -> None:
        if (response.request.is_navigation_request() and response.status >= 400) or response.status == BAD_GATEWAY:
            self._answered.add(response.url)
