"""A tenant's own domain: its public documents under it, and no other tenant's, whoever asks how."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from services.api.app import application
from services.errors import Invalid
from services.tenants.domains import DOMAINS, Domains, declare_domains
from streams.control_log import ControlEvent
from streams.event import iso
from tests.platforms import Site, site

OWN, OTHER = "id.acme.example", "login.globex.example"
DOCUMENTS = {
    "/jwks.json": "/t/acme/jwks.json",
    "/.well-known/jwks.json": "/t/acme/.well-known/jwks.json",
    "/.well-known/openid-configuration": "/t/acme/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server": "/t/acme/.well-known/oauth-authorization-server",
}


@pytest.fixture
async def two(here: Site) -> Site:
    for tenant, domain in (("acme", OWN), ("globex", OTHER)):
        await here.create(tenant)
        assert (await declare(here, tenant, domain)).status_code == 200
    return here


async def declare(site: Site, tenant: str, *domains: str) -> httpx.Response:
    return await site.operator.put(f"/v1/tenants/{tenant}/domains", json={"domains": domains})


async def ask(site: Site, host: str, path: str, method: str = "GET", **headers: Any) -> httpx.Response:
    """Without a token, with this `Host`."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application(site.platform)), base_url="http://test") as client:
        return await client.request(
            method, path, headers={b"Host": host.encode("latin-1"), **{name.encode(): value.encode() for name, value in headers.items()}}
        )


@pytest.mark.parametrize("host", [OWN, OWN.upper(), f"{OWN}:8443", f"{OWN}."])
@pytest.mark.parametrize("path", DOCUMENTS)
async def test_the_documents_are_the_same_under_the_domain(two: Site, path: str, host: str) -> None:
    under, usual = await ask(two, host, path), await ask(two, "tenantry.example", DOCUMENTS[path])
    assert under.status_code == 200, under.text
    assert (under.content, under.headers) == (usual.content, usual.headers)
    again = await ask(two, host, path, **{"If-None-Match": under.headers["etag"]})
    assert again.status_code == 304
    assert (await ask(two, host, path, "POST")).status_code == 405


@pytest.mark.parametrize("path", ["/t/globex/jwks.json", "/t/globex/.well-known/openid-configuration", "/t/globex/rp/shop/jwks.json"])
async def test_another_tenants_documents_are_not_there(two: Site, path: str) -> None:
    await two.operator.put("/v1/tenants/globex/relying-parties/shop", json={"name": "Shop", "caching": {"max_age": 60}, "own_url": True})
    assert (await ask(two, OWN, path)).status_code == 404
    assert (await ask(two, OWN, "/.well-known/oauth-authorization-server/t/globex")).status_code == 404
    assert (await ask(two, OWN, path.replace("globex", "acme").replace("/rp/shop", ""))).status_code == 200
    assert (await ask(two, OWN, "/.well-known/oauth-authorization-server/t/acme")).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/console", "/console/acme", "/v1/tenants", "/v1/tenants/acme/keys", "/docs", "/metrics", "/t/acme/x", "/healthz"]
)
async def test_nothing_else_is_there(two: Site, path: str) -> None:
    assert (await ask(two, OWN, path, Authorization=two.operator.headers["authorization"])).status_code == 404


@pytest.mark.parametrize(
    "host", ["tenantry.example", "evil.example", "acme.example", f"x.{OWN}", f"{OWN}.evil.example", "", "[::1]:80", "\xff"]
)
async def test_a_host_that_is_nobodys_domain_means_nothing(two: Site, host: str) -> None:
    for path in DOCUMENTS:
        assert (await ask(two, host, path)).status_code in {401, 404}, path
    assert (await ask(two, host, "/t/globex/jwks.json")).status_code == 200


async def test_the_past_is_there_for_who_may_see_it(two: Site) -> None:
    reader = await two.token("acme", "keys:read")
    now = (await ask(two, OWN, "/jwks.json")).json()
    path = f"/jwks.json?at={iso(two.platform.now())}"
    assert (await ask(two, OWN, path)).status_code == 401
    authorized = {"Authorization": reader.headers["authorization"]}
    assert (await ask(two, OWN, path, **authorized)).json()["keys"] == now["keys"]
    assert (await ask(two, OTHER, path, **authorized)).status_code == 404, "a token of acme's has seen globex's past"


async def test_a_domain_has_one_owner_and_is_free_again_afterwards(two: Site) -> None:
    taken = await declare(two, "globex", OTHER, OWN)
    assert (taken.status_code, OWN in taken.json()["detail"]) == (409, True)
    assert (await two.operator.get("/v1/tenants/globex/domains")).json() == {"domains": [OTHER]}
    assert (await declare(two, "acme")).status_code == 200
    assert (await ask(two, OWN, "/jwks.json")).status_code in {401, 404}
    assert (await declare(two, "globex", OTHER, OWN)).status_code == 200
    assert (await ask(two, OWN, "/jwks.json")).content == (await ask(two, OTHER, "/jwks.json")).content
    assert (await two.operator.delete("/v1/tenants/globex")).status_code == 204
    assert (await declare(two, "acme", OWN)).status_code == 200


def test_the_aggregates_may_be_folded_in_any_order() -> None:
    """They are in different partitions of Kafka: what was said later of one may be read before what was said of another."""

    def event(kind: str, **data: Any) -> ControlEvent:
        return ControlEvent(type=kind, at=1, by="ops", data=data)

    all_of_them = [
        event("domains_declared", owner="acme", domains=[OWN]),
        event("domains_declared", owner="globex", domains=[OWN, OTHER]),
        event("domains_declared", owner="globex", domains=[OWN]),
    ]
    for place in range(4):
        domains = Domains()
        for number in range(4):
            if number == place:
                domains.apply("acme", event("tenant_deleted"))
            if number < 3:
                domains.apply(DOMAINS, all_of_them[number])
        assert (domains.of("acme"), domains.of("globex")) == ((), (OWN,)), place
        assert (domains.owner(OWN.encode()), domains.owner(OTHER.encode())) == ("globex", None), place


async def test_a_tenants_log_has_its_domains(two: Site) -> None:
    await two.settled()
    found = (await two.operator.get("/v1/tenants/acme/events", params={"q": "event.action:domains_declared"})).json()["events"]
    assert [(one["event.category"], one["idp"]["domains"]) for one in found] == [("configuration", [OWN])]


@pytest.mark.parametrize(
    "domain",
    [
        "",
        "acme",
        "Acme.example",
        "https://id.acme.example",
        "id.acme.example:443",
        "id.acme.example/x",
        "*.acme.example",
        "-a.example",
        "a..example",
        "127.0.0.1",
        "::1",
        "münchen.example",
        "id.acme.example.",
        f"{'a' * 64}.example",
        ".".join(["a" * 60] * 5),
        "id.acme.example\n",
    ],
)
async def test_what_can_not_be_a_domain_is_refused(here: Site, domain: str) -> None:
    await here.create("acme")
    answer = await declare(here, "acme", domain)
    assert answer.status_code == 400, answer.text
    assert "domains: " in answer.json()["detail"]


async def test_the_platforms_own_name_is_all_tenants(here: Site) -> None:
    running = here.platform
    with pytest.raises(Invalid, match="all tenants'"):
        await declare_domains(running.control, running.domains, "acme", ["tenantry.example"], "https://tenantry.example", "ops", 1)


async def test_only_operators_say_whose_a_domain_is(two: Site) -> None:
    admin = await two.token("acme", "tenant:admin")
    assert (await admin.get("/v1/tenants/acme/domains")).json() == {"domains": [OWN]}
    assert (await admin.put("/v1/tenants/acme/domains", json={"domains": ["id.initech.example"]})).status_code == 403
    assert (await admin.get("/v1/tenants/globex/domains")).status_code == 404
    assert (await declare(two, "acme", OWN, OWN)).status_code == 400
    assert (await declare(two, "acme", *(f"n{number}.acme.example" for number in range(21)))).status_code == 400


async def test_who_issues_under_a_domain_has_its_jwks_there(two: Site) -> None:
    async def shown() -> tuple[Any, Any]:
        metadata = (await ask(two, OWN, "/.well-known/openid-configuration")).json()
        return metadata["issuer"], metadata["jwks_uri"]

    base = two.platform.settings.issuer_base
    assert await shown() == (f"{base}/t/acme", f"{base}/t/acme/jwks.json")
    assert (await two.operator.put("/v1/tenants/acme", json={"display_name": "Acme", "issuer": f"https://{OWN}"})).is_success
    assert await shown() == (f"https://{OWN}", f"https://{OWN}/jwks.json")
    assert (await two.operator.get("/v1/tenants/acme")).json()["jwks_uri"] == f"https://{OWN}/jwks.json"
    assert (await declare(two, "acme", "other.acme.example")).is_success
    assert (await ask(two, "other.acme.example", "/.well-known/openid-configuration")).json()["jwks_uri"] == f"{base}/t/acme/jwks.json"


async def test_domains_are_there_after_a_start(tmp_path: Any) -> None:
    async with site(tmp_path / "data") as before:
        await before.create("acme")
        await declare(before, "acme", OWN)
    async with site(tmp_path / "data") as after:
        assert (await ask(after, OWN, "/jwks.json")).status_code == 200
