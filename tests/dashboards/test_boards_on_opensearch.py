"""Every question of the boards is asked of a real OpenSearch that holds the recorded events, and is answered: as the tenant's own user."""

from __future__ import annotations

import gzip
import json
import re
import secrets
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio

from dashboards.boards.saved_objects import TenantObjects
from dashboards.boards.tenant_board import TENANT
from services.events.file_ingest import append_lines
from services.sample.load import FILES
from tests.dashboards import asked
from tests.platforms import Site, keycloak, site

pytestmark = pytest.mark.asyncio(loop_scope="module")
SEPARATE, POOLED = "globex", "hooli"
SINCE, UNTIL = "2020-01-01T00:00:00.000Z", "2100-01-01T00:00:00.000Z"
BOUNDS: Final = (1_790_000_000_000, 1_799_000_000_000)
_ANY: Final = list(TenantObjects("any", "any").all())
PICTURES: Final = [found["id"].rpartition("_")[2] for found in _ANY if found["type"] == "visualization"]
LISTS: Final = [found["id"].rpartition("_")[2] for found in _ANY if found["type"] == "search"]
TARGETS: Final = {panel["title"]: panel["targets"] for panel in TENANT.render()["panels"] if panel["type"] != "row"}
_SECURITY: Final = "_plugins/_security/api"


@dataclass(frozen=True)
class Reader:
    """A tenant's events at OpenSearch, and who reads them.

    Attributes:
        user: the tenant's own; the administrator where tenants share an index, and have none.
    """

    tenant: str
    index: str
    user: tuple[str, str] | None
    objects: dict[str, dict[str, Any]]
    opensearch: Any

    def search(self, body: dict[str, Any]) -> Any:
        """Asks as that user."""
        return self.opensearch.ask("POST", f"{self.index}/_search?track_total_hits=true", body, auth=self.user)


def lines() -> Iterator[bytes]:
    for path in FILES:
        with gzip.open(path) as opened:
            yield from opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def readers(tmp_path_factory: pytest.TempPathFactory, opensearch: Any) -> AsyncIterator[dict[str, Reader]]:
    """One tenant with an index of its own, one that shares it, and their recorded events."""
    prefix = f"boards{secrets.token_hex(4)}"
    url = f"opensearch://{opensearch.admin}@{opensearch.host}:{opensearch.port}/{prefix}?tls=true&cafile={opensearch.ca}"
    data: Path = tmp_path_factory.mktemp("boards") / "data"
    async with site(data, index_url=url, opensearch_password=opensearch.password) as here:
        yield {tenant: await reader(here, opensearch, prefix, tenant) for tenant in (SEPARATE, POOLED)}


async def reader(here: Site, opensearch: Any, prefix: str, tenant: str) -> Reader:
    """The tenant, with its events, some of which are that somebody looked at them."""
    isolation = "pooled" if tenant == POOLED else "separate"
    body = {"display_name": tenant, "isolation": isolation, "sources": [keycloak(tenant)]}
    answer = await here.operator.put(f"/v1/tenants/{tenant}", json=body)
    assert answer.status_code == 201, answer.text
    await append_lines(here.platform.log, lines(), source="keycloak", tenant=None, progress=lambda _: None)
    await here.settled()
    assert (await here.operator.get(f"/v1/tenants/{tenant}/events")).json()["events"]
    await here.settled()
    index, user = f"{prefix}-t-{tenant}", None
    if tenant == SEPARATE:
        granted = (await here.operator.put(f"/v1/tenants/{tenant}/search-user")).json()
        assert granted["index"] == index
        user = (granted["user"], granted["password"])
    opensearch.ask("POST", f"{index}/_refresh")
    objects = {found["id"].rpartition("_")[2]: found for found in TenantObjects(tenant, index).all()}
    return Reader(tenant, index, user, objects, opensearch)


@pytest.mark.parametrize("tenant", [SEPARATE, POOLED])
@pytest.mark.parametrize("name", PICTURES)
async def test_every_picture_shows_something(readers: dict[str, Reader], tenant: str, name: str) -> None:
    body = asked.of_visualization(readers[tenant].objects[name], SINCE, UNTIL)
    assert asked.answers(body, readers[tenant].search(body)) > 0


@pytest.mark.parametrize("tenant", [SEPARATE, POOLED])
@pytest.mark.parametrize("name", LISTS)
async def test_every_list_has_the_tenants_events_only_and_all_its_columns(readers: dict[str, Reader], tenant: str, name: str) -> None:
    found = readers[tenant].objects[name]
    hits = readers[tenant].search(asked.of_search(found, SINCE, UNTIL))["hits"]["hits"]
    owners = [hit["_source"]["tenant.id"] for hit in hits]  # in a list, where the indexed form is another one than the event's
    assert {owner[0] if isinstance(owner, list) else owner for owner in owners} == {tenant}
    shown = {name for hit in hits for name in hit["_source"]}
    assert set(found["attributes"]["columns"]) <= shown


@pytest.mark.parametrize("title", TARGETS)
async def test_grafana_s_board_asks_the_same_and_is_answered_the_same(readers: dict[str, Reader], title: str) -> None:
    [target] = TARGETS[title]
    body = asked.of_target(target, *BOUNDS)
    answer = readers[SEPARATE].search(body)
    assert asked.answers(body, answer) > 0
    [same] = [found for found in readers[SEPARATE].objects.values() if found["attributes"]["title"] == f"{SEPARATE}: {title}"]
    theirs = asked.of_visualization(same, SINCE, UNTIL)
    assert readers[SEPARATE].search(theirs)["hits"]["total"] == answer["hits"]["total"]


async def test_the_index_pattern_has_the_fields_as_opensearch_has_them(readers: dict[str, Reader]) -> None:
    here = readers[SEPARATE]
    told = here.opensearch.ask("GET", f"{here.index}/_field_caps?fields=*", auth=here.user)["fields"]
    for field in json.loads(here.objects["log"]["attributes"]["fields"]):
        [capable] = told[field["name"]].values()
        assert [capable["type"]] == field["esTypes"], field["name"]
        assert (capable["searchable"], capable["aggregatable"]) == (field["searchable"], field["aggregatable"]), field["name"]


async def test_a_tenant_s_user_is_let_into_its_place_in_opensearch_dashboards_and_into_no_other(readers: dict[str, Reader]) -> None:
    """As docs/dashboards.md says how. OpenSearch keeps each place in an index of its own, and lets in by the place that a request names."""
    here = readers[SEPARATE]
    assert here.user is not None
    name, ask = here.user[0], here.opensearch.ask
    own, other = places = [f"{one.index}-place" for one in readers.values()]
    try:
        for place in places:
            ask("PUT", f"{_SECURITY}/tenants/{place}", {"description": "a tenant's boards"})
            ask("PUT", kept(place), {"settings": {"number_of_replicas": 0}})
            ask("PUT", f"{kept(place)}/_doc/one?refresh=true", {"title": place})
        allowed = {"tenant_patterns": [own], "allowed_actions": ["kibana_all_read"]}
        ask("PUT", f"{_SECURITY}/roles/{own}", {"tenant_permissions": [allowed]})
        ask("PUT", f"{_SECURITY}/rolesmapping/{own}", {"users": [name]})
        told = ask("GET", "_plugins/_security/authinfo", auth=here.user)["tenants"]
        assert told.get(own) is False, "it may read there, and not write"
        assert other not in told
        looked = looking(here, own, "GET", ".kibana/_search")
        assert [hit["_source"]["title"] for hit in looked.json()["hits"]["hits"]] == [own], looked.text
        refused = [
            looking(here, other, "GET", ".kibana/_search"),
            looking(here, own, "PUT", ".kibana/_doc/two", {"title": "mine"}),
            looking(here, own, "GET", f"{kept(other)}/_search"),
            looking(here, own, "DELETE", kept(other)),
        ]
        assert [answer.status_code for answer in refused] == [403] * len(refused), [answer.text for answer in refused]
        # Why it is not given the role that people are given for OpenSearch Dashboards.
        ask("PATCH", f"{_SECURITY}/internalusers/{name}", [{"op": "add", "path": "/opendistro_security_roles", "value": ["kibana_user"]}])
        strange = looking(here, own, "GET", f"{kept(other)}/_search").json()
        assert [hit["_source"]["title"] for hit in strange["hits"]["hits"]] == [other]
    finally:
        here.opensearch.request("PATCH", f"{_SECURITY}/internalusers/{name}", [{"op": "remove", "path": "/opendistro_security_roles"}])
        for place in places:
            here.opensearch.request("DELETE", kept(place))
            for kind in ("rolesmapping", "roles", "tenants"):
                here.opensearch.request("DELETE", f"{_SECURITY}/{kind}/{place}")


def kept(place: str) -> str:
    """The index where OpenSearch Dashboards keeps what is saved in a place: named by Java's hash of its name."""
    number = 0
    for sign in place:
        number = (31 * number + ord(sign)) & 0xFFFF_FFFF
    signed = number - (1 << 32) if number >> 31 else number
    return f".kibana_{signed}_{re.sub('[^a-z0-9]+', '', place)}"


def looking(here: Reader, place: str, method: str, path: str, body: object = None) -> httpx.Response:
    """What OpenSearch Dashboards asks for somebody who looks at what is saved in a place."""
    assert here.user is not None
    secure = ssl.create_default_context(cafile=here.opensearch.ca)
    with httpx.Client(verify=secure, auth=here.user, headers={"securitytenant": place}, timeout=60) as client:
        return client.request(method, f"{here.opensearch.url}/{path}", json=body)
