"""Sessions of the console: how they begin and end, and what they can't be made to do."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from services.access.session import LIFETIME_MS, Sessions
from services.api.app import application
from tests.platforms import Site, keycloak, site
from tests.services.console_browser import Browser, browser, operator_token, token_of

FORM = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def here(here: Site) -> Site:
    await here.create("acme")
    await here.create("globex", keycloak("globex"))
    return here


async def test_without_a_session_every_page_leads_to_the_sign_in_and_back(here: Site) -> None:
    unknown = Browser(here)
    unknown.client.follow_redirects = False
    for path in ("/console/acme?q=login%20x", "/console/acme/keys", "/console/acme/events/e1", "/console/nobody"):
        answer = await unknown.client.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/console?next={quote(path, safe='')}"


async def test_signing_in_leads_to_the_tenants_own_log(here: Site) -> None:
    analyst = await browser(here, "acme", "events:read")
    assert analyst.page.url.path == "/console/acme"
    assert "No event from an identity provider yet" in analyst.page.text


async def test_signing_in_leads_to_the_page_that_was_asked_for_and_to_no_other_site(here: Site) -> None:
    token = await token_of(here, "acme", "events:read", "keys:read")
    analyst = Browser(here)
    assert (await analyst.sign_in(token, next="/console/acme/keys")).url.path == "/console/acme/keys"
    assert (await analyst.sign_in(token, next="//evil.example/")).url.path == "/console/acme"


async def test_a_link_from_elsewhere_comes_without_the_cookie_and_goes_on_by_itself(here: Site) -> None:
    answer = await Browser(here, **{"Sec-Fetch-Site": "cross-site"}).client.get("/console/acme?q=a%22b")
    assert answer.status_code == 200
    assert 'http-equiv="refresh" content="0;url=/console/acme?q=a%22b"' in answer.text


async def test_the_cookie_is_out_of_reach_and_holds_no_token(here: Site) -> None:
    token = await token_of(here, "acme", "events:read")
    analyst = Browser(here)
    analyst.client.follow_redirects = False
    cookie = (await analyst.sign_in(token)).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/console", f"Max-Age={LIFETIME_MS // 1000}"} <= set(cookie.split("; "))
    assert token not in cookie
    assert token.split("_")[1] not in cookie


async def test_under_tls_the_cookie_is_secure(tmp_path: Path) -> None:
    async with site(tmp_path, public_url="https://id.example") as running:
        analyst = Browser(running)
        analyst.client.follow_redirects = False
        cookie = (await analyst.sign_in(operator_token(running))).headers["set-cookie"]
        assert cookie.startswith("__Secure-tenantry=")
        assert "Secure" in cookie.split("; ")


async def test_a_bad_token_always_gets_the_same_answer(here: Site) -> None:
    good = await token_of(here, "acme", "events:read")
    answers = [
        await Browser(here).sign_in(token) for token in ("", "tnt_x", good[:-1] + ("a" if good[-1] != "a" else "b"), "<b>" * 100, "é\x00")
    ]
    assert {(answer.status_code, answer.text, "set-cookie" in answer.headers) for answer in answers} == {(401, answers[0].text, False)}


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:8080"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {},
    ],
    ids=str,
)
async def test_a_form_from_elsewhere_is_refused(here: Site, headers: dict[str, str]) -> None:
    transport = httpx.ASGITransport(application(here.platform))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080", headers=headers) as other:
        answer = await other.post("/console/-/sign-in", data={"token": operator_token(here)})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_a_browser_that_only_names_the_origin_can_sign_in(here: Site) -> None:
    transport = httpx.ASGITransport(application(here.platform))
    async with httpx.AsyncClient(transport=transport, base_url="http://10.0.0.7:8080", headers={"Origin": "http://10.0.0.7:8080"}) as other:
        assert (await other.post("/console/-/sign-in", data={"token": operator_token(here)})).status_code == 303


@pytest.mark.parametrize("csrf", [None, "", "x", "é"])
async def test_a_form_without_the_sessions_token_does_nothing(here: Site, csrf: str | None) -> None:
    team = await browser(here, "acme", "keys:read", "keys:rotate")
    form = {"expects": team.hidden("expects"), **({} if csrf is None else {"csrf": csrf})}
    assert (await team.press("/console/acme/keys/rotate", **form)).status_code == 403
    assert (await team.press("/console/-/sign-out", **form)).status_code == 403
    assert (await team.client.get("/console/acme/keys")).status_code == 200


async def test_a_form_with_the_sessions_token_from_another_site_does_nothing(here: Site) -> None:
    team = await browser(here, "acme", "keys:read", "keys:rotate")
    form = {"csrf": team.hidden("csrf"), "expects": team.hidden("expects")}
    answer = await team.client.post("/console/acme/keys/rotate", data=form, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


async def test_a_form_that_is_too_large_is_refused(here: Site) -> None:
    assert (await Browser(here).sign_in("x" * 100_000)).status_code == 413
    assert (await Browser(here).client.post("/console/-/sign-in", content="a=1&" * 100, headers=FORM)).status_code == 400


async def test_a_revoked_token_ends_its_sessions(here: Site) -> None:
    analyst = await browser(here, "acme", "events:read")
    listed = (await here.operator.get("/v1/tenants/acme/tokens")).json()["tokens"]
    await here.operator.delete(f"/v1/tenants/acme/tokens/{listed[0]['id']}")
    await analyst.open("/console/acme")
    assert analyst.page.url.path == "/console"
    assert "Paste an access token" in analyst.page.text


async def test_signing_out_ends_the_session(here: Site) -> None:
    analyst = await browser(here, "acme", "events:read")
    kept = dict(analyst.client.cookies)
    await analyst.press("/console/-/sign-out", csrf=analyst.hidden("csrf"))
    assert "Paste an access token" in analyst.page.text
    assert not analyst.client.cookies
    analyst.client.cookies.update(kept)
    assert "Paste an access token" in await analyst.open("/console/acme")


async def test_signing_in_again_ends_the_session_before(here: Site) -> None:
    analyst = await browser(here, "acme", "events:read")
    kept = dict(analyst.client.cookies)
    await analyst.sign_in(await token_of(here, "globex", "events:read"))
    assert analyst.page.url.path == "/console/globex"
    assert "/console/acme" not in analyst.page.text
    analyst.client.cookies.clear()
    analyst.client.cookies.update(kept)
    assert "Paste an access token" in await analyst.open("/console/acme")


async def test_a_session_ends_by_itself_and_a_tenant_can_not_have_ever_more(here: Site) -> None:
    sessions = Sessions(here.platform.tokens)
    token, now = await token_of(here, "acme", "events:read"), here.platform.now()
    operators = sessions.begin(operator_token(here), now)
    first = sessions.begin(token, now)
    assert sessions.find(first, now + LIFETIME_MS - 1) is not None
    assert sessions.find(first, now + LIFETIME_MS) is None
    first = sessions.begin(token, now)
    last = [sessions.begin(token, now) for _ in range(200)][-1]
    assert sessions.find(first, now) is None
    assert sessions.find(last, now) is not None
    assert sessions.find(operators, now) is not None


async def test_every_answer_keeps_to_itself(here: Site) -> None:
    team = await browser(here, "acme", "events:read", "keys:read", "keys:rotate")
    asset = re.findall(r'href="(/console/-/static/[^"]+css)"', team.page.text)[0]
    paths = [
        "/console",
        "/console/acme",
        "/console/acme?q=%22",
        "/console/acme/keys",
        "/console/globex",
        "/console/x/y/z",
        "/console/-/static/x",
        asset,
    ]
    answers = [await team.client.request(method, path, follow_redirects=False) for path in paths for method in ("GET", "HEAD")]
    answers += [
        await team.client.post(path, follow_redirects=False) for path in ("/console/-/sign-in", "/console/-/sign-out", "/console/acme")
    ]
    answers.append(await Browser(here).client.get("/console/acme", follow_redirects=False))
    for answer in answers:
        assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'; script-src 'self';")
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.status_code < 500
        if answer.url.path == asset:
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        else:
            assert answer.headers["cache-control"] == "no-store"
            assert "json" not in answer.headers.get("content-type", "")
