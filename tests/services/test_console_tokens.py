"""Access tokens in the console: made with what the visitor holds, shown once, revoked at once."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime

import pytest

from tests.dashboards.hostile import HOSTILE, is_text
from tests.platforms import Site
from tests.services.console_browser import Browser, browser, operator_token

TOKENS = "/console/acme/tokens"
API = "/v1/tenants/acme/tokens"
NEW = {"name": "dashboard", "scope.events:read": "on", "scope.keys:read": "on", "lives": "30"}
_DAY = 24 * 3600 * 1000


@pytest.fixture
async def here(here: Site) -> Site:
    await here.create("acme")
    await here.create("globex")
    return here


async def admin(site: Site) -> Browser:
    found = await browser(site, "acme", "tenant:admin", "events:read", "keys:read")
    await found.open(TOKENS)
    return found


def secret_of(page: str) -> str:
    found = re.search(r'<code id="secret" translate="no">(tnt_[0-9a-f]{16}_[\w-]{43})</code>', page)
    assert found is not None
    return found[1]


async def test_a_token_is_shown_once_and_works(here: Site) -> None:
    team = await admin(here)
    answer = await team.press(TOKENS, csrf=team.hidden("csrf"), **NEW)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    secret = secret_of(answer.text)
    assert (await here.client(secret).get("/v1/tenants/acme/keys")).status_code == 200
    assert (await here.client(secret).get(API)).status_code == 403
    [made] = [token for token in (await here.operator.get(API)).json()["tokens"] if token["name"] == "dashboard"]
    assert made["scopes"] == ["events:read", "keys:read"]
    assert made["minted_by"].startswith("token:")
    found = here.platform.tokens.of("acme")[-1]
    assert found.expires_at is not None
    assert abs(found.expires_at - found.minted_at - 30 * _DAY) < 60_000
    page = await team.open(TOKENS)
    assert "dashboard" in page
    assert secret.split("_", 2)[2] not in page
    await here.settled()
    told = await here.operator.get("/v1/tenants/acme/events", params={"q": "event.action:token_minted idp.name:dashboard"})
    assert told.json()["events"][0]["user.id"].startswith("token:")
    assert secret.split("_", 2)[2] not in told.text


async def test_sending_the_form_again_makes_no_other(here: Site) -> None:
    team = await admin(here)
    form = {"csrf": team.hidden("csrf"), **NEW}
    await team.press(TOKENS, **form)
    again = await team.press(TOKENS, **form)
    assert again.status_code == 409
    assert "there is a token named &#39;dashboard&#39;" in again.text
    assert "tnt_" not in again.text


async def test_a_token_without_a_scope_is_refused_in_words(here: Site) -> None:
    team = await admin(here)
    answer = await team.press(TOKENS, csrf=team.hidden("csrf"), name="idle", lives="30")
    assert answer.status_code == 400
    assert re.findall(r'id="trouble" role="alert"><p>([^<]*)<bdi>([^<]*)', answer.text) == [
        ("No token was made: ", "choose at least one scope")
    ]


async def test_nobody_gives_more_than_they_hold(here: Site) -> None:
    team = await admin(here)
    csrf = team.hidden("csrf")
    assert "scope.keys:revoke" not in team.page.text
    for more in ("keys:revoke", "platform:admin"):
        answer = await team.press(TOKENS, csrf=csrf, name="more", lives="30", **{f"scope.{more}": "on"})
        assert answer.status_code in {400, 403}
    operator = Browser(here)
    await operator.sign_in(operator_token(here))
    await operator.open(TOKENS)
    assert "scope.keys:revoke" in operator.page.text
    assert "platform:admin" not in operator.page.text
    answer = await operator.press(TOKENS, csrf=operator.hidden("csrf"), name="more", lives="30", **{"scope.platform:admin": "on"})
    assert (answer.status_code, "a tenant&#39;s token can&#39;t hold platform:admin" in answer.text) == (400, True)
    assert [token for token in (await here.operator.get(API)).json()["tokens"] if token["name"] == "more"] == []


async def test_nobodys_token_outlives_the_one_that_mints_it(here: Site) -> None:
    until = here.platform.now() + 40 * _DAY
    body = {"name": "short", "scopes": ["tenant:admin", "keys:read"], "expires_at": _iso(until)}
    short = Browser(here)
    await short.sign_in((await here.operator.post(API, json=body)).json()["token"], next=TOKENS)
    assert re.findall(r'<option value="(\w+)"', short.page.text) == ["30", "mine"]
    csrf = short.hidden("csrf")
    for lives in ("never", "365"):
        answer = await short.press(TOKENS, csrf=csrf, name="long", lives=lives, **{"scope.keys:read": "on"})
        assert (answer.status_code, "outlive" in answer.text) == (403, True)
    answer = await short.press(TOKENS, csrf=csrf, name="as long", lives="mine", **{"scope.keys:read": "on"})
    assert answer.status_code == 201
    assert here.platform.tokens.of("acme")[-1].expires_at == until


async def test_what_is_wrong_is_said_and_what_was_typed_is_kept(here: Site) -> None:
    team = await admin(here)
    csrf = team.hidden("csrf")
    for wrong, said in (({"name": ""}, "name: "), ({"name": "x" * 101}, "name: "), ({"lives": "long"}, "lives: choose one of")):
        answer = await team.press(TOKENS, csrf=csrf, **{**NEW, **wrong})
        assert (answer.status_code, said in answer.text) == (400, True), wrong
        assert re.search(r'name="scope.keys:read" checked', answer.text)
    odd = await team.press(TOKENS, csrf=csrf, name="odd", lives="30", **{"scope.<b>": "on"})
    assert odd.status_code == 400
    assert "<b>" not in odd.text


async def test_a_revoked_token_is_refused_and_its_sessions_end(here: Site) -> None:
    team = await admin(here)
    secret = secret_of((await team.press(TOKENS, csrf=team.hidden("csrf"), **NEW)).text)
    other = Browser(here)
    await other.sign_in(secret)
    await team.open(TOKENS)
    identifier = secret.split("_")[1]
    page = (await team.press(f"{TOKENS}/{identifier}/revoke", csrf=team.hidden("csrf"))).text
    assert f"Revoked: dashboard ({identifier}) is refused from now on." in page
    assert (await here.client(secret).get("/v1/tenants/acme/keys")).status_code == 401
    assert "Sign in" in await other.open("/console/acme/keys")
    assert (await team.press(f"{TOKENS}/{identifier}/revoke", csrf=team.hidden("csrf"))).status_code == 404


async def test_revoking_ones_own_token_signs_out(here: Site) -> None:
    team = await admin(here)
    assert "That ends your own session, too." in team.page.text
    own = next(token.id for token in here.platform.tokens.of("acme"))
    page = (await team.press(f"{TOKENS}/{own}/revoke", csrf=team.hidden("csrf"))).text
    assert "Sign in" in page


async def test_many_come_page_by_page_the_newest_first(here: Site) -> None:
    for number in range(60):
        await here.operator.post(API, json={"name": f"n{number:02}", "scopes": ["events:read"]})
    team, found = await admin(here), []
    page = team.page.text
    while True:
        found += re.findall(r"<h3><bdi>(n\d\d)</bdi>", page)
        if (older := re.search(r'rel="next" href="([^"]+)"', page)) is None:
            break
        page = await team.open(html.unescape(older[1]))
    assert found == [f"n{number:02}" for number in reversed(range(60))]


async def test_only_the_tenants_admins_see_them(here: Site) -> None:
    own = here.platform.tokens
    reader = await browser(here, "acme", "events:read", "keys:read")
    assert ">Tokens</a>" not in reader.page.text
    csrf = reader.hidden("csrf")
    token = own.of("acme")[0].id
    await reader.open(TOKENS)
    assert reader.page.status_code == 403
    for path, form in ((TOKENS, NEW), (f"{TOKENS}/{token}/revoke", {})):
        assert (await reader.press(path, csrf=csrf, **form)).status_code == 403
    other = await browser(here, "globex", "tenant:admin", "events:read")
    csrf = other.hidden("csrf")
    await other.open(TOKENS)
    assert other.page.status_code == 404
    for path, form in ((TOKENS, NEW), (f"{TOKENS}/{token}/revoke", {}), (f"/console/globex/tokens/{token}/revoke", {})):
        assert (await other.press(path, csrf=csrf, **form)).status_code == 404
    assert [one.id for one in own.of("acme")] == [token]


async def test_a_token_of_an_admin_alone_lands_here(here: Site) -> None:
    team = await browser(here, "acme", "tenant:admin")
    assert (team.page.url.path, team.page.status_code) == (TOKENS, 200)


async def test_a_form_of_another_site_or_session_makes_and_ends_nothing(here: Site) -> None:
    team, other = await admin(here), await browser(here, "globex", "tenant:admin")
    before = [token.id for token in here.platform.tokens.of("acme")]
    csrf = team.hidden("csrf")
    for path, form in ((TOKENS, NEW), (f"{TOKENS}/{before[0]}/revoke", {})):
        for wrong in ("", other.hidden("csrf")):
            assert (await team.press(path, csrf=wrong, **form)).status_code == 403
        answer = await team.client.post(path, data={**form, "csrf": csrf}, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403
    assert [token.id for token in here.platform.tokens.of("acme")] == before


async def test_hostile_names_are_text(here: Site) -> None:
    team = await admin(here)
    answer = await team.press(TOKENS, csrf=team.hidden("csrf"), name=HOSTILE, lives="never", **{"scope.events:read": "on"})
    assert answer.status_code == 201
    assert is_text(answer.text)
    assert is_text(await team.open(TOKENS))


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()
