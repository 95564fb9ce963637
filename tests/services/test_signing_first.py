"""What is answered before the framework is what the framework would answer, and whatever is odd is left to it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import jwt
import pytest

from keyvault.errors import KeyStoreDown, NoActiveKey
from services.api.app import api, application
from services.api.published import Asgi
from services.api.signing_first import SigningFirst
from services.api.too_large import TooLargeAsProblem
from tests.platforms import Site

PATH = "/v1/tenants/acme/tokens/sign"
GOOD: list[dict[str, Any]] = [{"claims": {"sub": "ü", "aud": "shop"}}, {"claims": {}}, {"batch": [{"sub": "ada"}, {"sub": "bob"}]}]


@pytest.fixture
async def acme(here: Site) -> Site:
    await here.create("acme")
    return here


async def nothing_else(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError(f"{scope['method']} {scope['path']} was handed on")


def operator(site: Site) -> str:
    return str(site.operator.headers["authorization"])


async def ask(asked: Asgi, **request: Any) -> httpx.Response:
    transport = httpx.ASGITransport(asked, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(**{"method": "POST", "url": PATH, **request})


async def both(site: Site, **request: Any) -> httpx.Response:
    """The answer, which is the same with and without."""
    with_it = await ask(application(site.platform), **request)
    without = await ask(TooLargeAsProblem(api(site.platform)), **request)
    assert with_it.status_code == without.status_code
    assert with_it.headers == without.headers
    assert with_it.content == without.content
    return with_it


@pytest.mark.parametrize("body", GOOD, ids=json.dumps)
@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_a_good_request_is_answered_at_once_and_the_same(acme: Site, body: dict[str, Any], scheme: str) -> None:
    headers = {"Authorization": operator(acme).replace("Bearer", scheme)}
    answers = [
        await ask(asked, json=body, headers=headers)
        for asked in (SigningFirst(nothing_else, acme.platform), TooLargeAsProblem(api(acme.platform)))
    ]
    claims = []
    for answer in answers:
        assert answer.status_code == 200, answer.text
        said = answer.json()
        claims.append([jwt.decode(one["token"], options={"verify_signature": False}) for one in said.get("tokens", [said])])
        for one in claims[-1]:
            one.update(jti="random", iat="now", exp="later")
    assert claims[0] == claims[1]
    assert answers[0].headers == answers[1].headers


ODD: dict[str, tuple[int, dict[str, Any]]] = {
    "unknown parameter": (400, {"url": f"{PATH}?force=1", "json": GOOD[0]}),
    "another method": (405, {"method": "PUT", "json": GOOD[0]}),
    "no such tenant": (404, {"url": "/v1/tenants/nobody/tokens/sign", "json": GOOD[0]}),
    "no tenant's name": (404, {"url": "/v1/tenants/ACME/tokens/sign", "json": GOOD[0]}),
    "no token": (401, {"json": GOOD[0], "headers": {"Authorization": ""}}),
    "a wrong token": (401, {"json": GOOD[0], "headers": {"Authorization": f"Bearer tnt_{'0' * 16}_{'A' * 43}"}}),
    "no token of ours": (401, {"json": GOOD[0], "headers": {"Authorization": "Basic YTpi"}}),
    "a token that is no text": (401, {"json": GOOD[0], "headers": {"Authorization": b"Bearer \xff"}}),
    "text": (400, {"content": json.dumps(GOOD[0]), "headers": {"Content-Type": "text/plain"}}),
    "no JSON": (400, {"content": b"{", "headers": {"Content-Type": "application/json"}}),
    "neither": (400, {"json": {}}),
    "unknown member": (400, {"json": {"claims": {}, "kid": "mine"}}),
    "half a character": (400, {"content": b'{"claims": {"sub": "\\ud800"}}', "headers": {"Content-Type": "application/json"}}),
    "not a number": (400, {"content": b'{"claims": {"x": NaN}}', "headers": {"Content-Type": "application/json"}}),
    "a wrong claim": (400, {"json": {"claims": {"iss": "https://evil.example"}}}),
    "a wrong claim in a batch": (400, {"json": {"batch": [{}, {"exp": 1}]}}),
    "too large": (413, {"json": {"claims": {"x": "x" * 300_000}}}),
    "claims that are too large": (400, {"json": {"claims": {"x": "x" * 20_000}}}),
}


@pytest.mark.parametrize("odd", ODD)
async def test_what_is_odd_is_answered_as_the_framework_does(acme: Site, odd: str) -> None:
    status, request = ODD[odd]
    headers: Mapping[str, Any] = {"Authorization": operator(acme), **request.get("headers", {})}
    answer = await both(acme, **{**request, "headers": headers})
    assert answer.status_code == status, answer.text


async def test_a_token_of_another_tenant_or_without_the_scope_is_refused_as_everywhere(acme: Site) -> None:
    await acme.create("globex")
    for client, status in ((await acme.token("globex", "tokens:sign"), 404), (await acme.token("acme", "keys:read"), 403)):
        headers = {"Authorization": client.headers["authorization"]}
        assert (await both(acme, json=GOOD[0], headers=headers)).status_code == status


async def test_a_token_that_is_revoked_while_the_body_comes_signs_nothing(acme: Site) -> None:
    minted = (await acme.operator.post("/v1/tenants/acme/tokens", json={"name": "idp", "scopes": ["tokens:sign"]})).json()
    headers = {"Authorization": f"Bearer {minted['token']}", "Content-Type": "application/json", "Content-Length": "25"}

    async def slow() -> AsyncIterator[bytes]:
        yield b'{"claims": {"sub": '
        assert (await acme.operator.delete(f"/v1/tenants/acme/tokens/{minted['id']}")).is_success
        yield b'"ada"}}'

    assert (await ask(application(acme.platform), content=slow(), headers=headers)).status_code == 401


async def test_a_body_without_a_length_and_a_header_that_is_there_twice_are_left_to_the_framework(acme: Site) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b'{"claims": '
        yield b"{}}"

    kind = ("Content-Type", "application/json")
    answer = await ask(application(acme.platform), content=parts(), headers=dict([kind, ("Authorization", operator(acme))]))
    assert answer.status_code == 200, answer.text
    twice = [kind, ("Authorization", operator(acme)), ("Authorization", "Bearer other")]
    with pytest.raises(AssertionError, match="handed on"):
        await SigningFirst(nothing_else, acme.platform)(_scope(twice), _never, _never)


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (NoActiveKey(), 503, "5"),
        (KeyStoreDown("away"), 503, "5"),
        (KeyStoreDown("away", retry_after=1.2), 503, "2"),
        (RuntimeError("geheim"), 500, None),
    ],
)
async def test_what_goes_wrong_meanwhile_is_answered_as_the_framework_does(
    acme: Site, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, retry_after: str | None
) -> None:
    async def sign(*_: object) -> None:
        raise error

    monkeypatch.setattr(acme.platform.custodian, "sign", sign)
    answer = await both(acme, json=GOOD[0], headers={"Authorization": operator(acme)})
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, retry_after)
    assert answer.headers["content-type"] == "application/problem+json"
    assert "geheim" not in answer.text


def _scope(headers: list[tuple[str, str]]) -> dict[str, Any]:
    encoded = [(name.lower().encode(), value.encode()) for name, value in [*headers, ("Content-Length", "2")]]
    return {"type": "http", "method": "POST", "path": PATH, "query_string": b"", "headers": encoded}


async def _never(*_: object) -> Any:
    raise AssertionError("nothing is read, and nothing is answered")
