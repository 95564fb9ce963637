"""A tenant's own user of OpenSearch reads that tenant's events, and nothing else, whatever it asks; Tenantry's own needs little."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest

from streams.errors import IndexMissing, IndexUnavailable
from streams.index_opensearch import OpenSearchConnection, OpenSearchIndex, TenantAccess, service_role
from streams.scope import TenantScope
from tests.contract.index_suite import ACME, GLOBEX, event
from tests.servers.opensearch import OpenSearch
from tests.streams.index_opensearch.engine import Here, on

_SECURITY = "_plugins/_security/api"


class Granted(NamedTuple):
    here: Here
    auth: tuple[str, str]

    def status(self, method: str, path: str, body: object = None) -> int:
        return self.here.server.request(method, path, body, auth=self.auth).status_code

    def ask(self, method: str, path: str, body: object = None) -> Any:
        return self.here.server.ask(method, path, body, auth=self.auth)

    def found(self, path: str, body: object = None) -> list[str]:
        return [hit["_source"]["user.name"] for hit in self.ask("POST", path, body)["hits"]["hits"]]


@pytest.fixture
async def granted(opensearch: OpenSearch) -> AsyncIterator[Granted]:
    """Two tenants with an event each, and the user of the first."""
    async with on(opensearch) as here:
        access = TenantAccess(here.connection)
        for scope, name in ((ACME, "alice"), (GLOBEX, "bobbie")):
            await here.index.prepare(scope)
            await here.index.write({scope: [event(1, user_name=name, message=f"of {name}")]})
            await here.index.refresh(scope)
        auth = await access.grant(ACME)
        assert auth is not None
        yield Granted(here, auth)
        await access.revoke(ACME)
        await access.close()


async def test_reads_its_own_events(granted: Granted) -> None:
    alias = f"{granted.here.prefix}-t-acme"
    assert granted.found(f"{alias}/_search") == ["alice"]
    assert granted.ask("GET", f"{alias}/_doc/acme:e1")["found"]
    assert granted.ask("POST", f"{alias}/_search", {"query": {"term": {"user.name": "alice"}}})["hits"]["total"]["value"] == 1


async def test_sees_nothing_of_another_tenant(granted: Granted) -> None:
    prefix = granted.here.prefix
    others = [f"{prefix}-t-globex", f"{prefix}-t-*", f"{prefix}-*", "*", "_all", *granted.here.names()]
    bodies: list[dict[str, Any]] = [
        {"query": {"match_all": {}}},
        {"query": {"bool": {"should": [{"wildcard": {"user.name": {"value": "bob*"}}}, {"match_all": {}}]}}, "profile": True},
        {"aggs": {"names": {"terms": {"field": "user.name", "min_doc_count": 0}}}},
        {"aggs": {"names": {"significant_terms": {"field": "user.name", "min_doc_count": 1}}}},
        {"aggs": {"all": {"global": {}, "aggs": {"names": {"terms": {"field": "user.name"}}}}}},
        {"suggest": {"names": {"text": "bobbi", "term": {"field": "message", "suggest_mode": "always", "min_word_length": 2}}}},
        {"suggest": {"names": {"text": "of bobbi", "phrase": {"field": "message", "confidence": 0, "max_errors": 2}}}},
    ]
    for name in others:
        for body in bodies:
            answer = granted.here.server.request("POST", f"{name}/_search", body, auth=granted.auth)
            assert "bobbie" not in answer.text, (name, body)
        assert "bobbie" not in granted.here.server.request("GET", f"{name}/_doc/globex:e1", auth=granted.auth).text
    gets = {"docs": [{"_index": f"{prefix}-t-globex", "_id": "globex:e1"}, {"_index": f"{prefix}-t-acme", "_id": "globex:e1"}]}
    assert "bobbie" not in granted.here.server.request("POST", "_mget", gets, auth=granted.auth).text
    assert granted.ask("POST", f"{prefix}-t-acme/_search", {"query": {"match_all": {}}, "size": 0})["hits"]["total"]["value"] == 1


async def test_may_not_write_list_or_administrate(granted: Granted) -> None:
    prefix = granted.here.prefix
    for method, path, body in (
        ("PUT", f"{prefix}-t-acme/_doc/x", {}),
        ("POST", f"{prefix}-t-acme/_delete_by_query", {"query": {"match_all": {}}}),
        ("DELETE", f"{prefix}-t-acme/_doc/acme:e1", None),
        ("DELETE", granted.here.names()[0], None),
        ("GET", "_cat/indices", None),
        ("GET", "_cat/aliases", None),
        ("GET", "_cluster/state", None),
        ("GET", "_plugins/_security/api/internalusers", None),
        ("POST", "_aliases", {"actions": [{"add": {"index": granted.here.names()[0], "alias": f"{prefix}-mine"}}]}),
    ):
        assert granted.status(method, path, body) in {400, 403, 405}, path


async def test_its_name_gives_it_nothing(granted: Granted) -> None:
    """The plugin's `own_index`, which everybody has who is not kept from it, takes in all of the index or alias of a user's name."""
    name, prefix = granted.auth[0], granted.here.prefix
    mapped = granted.here.server.ask("GET", "_plugins/_security/api/rolesmapping/own_index")
    assert mapped["own_index"]["users"] == ["*"], "or this shows nothing"
    reader = TenantScope("acme-reader")  # whose alias was the name of acme's user once
    await granted.here.index.prepare(reader, pooled=True)
    await granted.here.index.write({reader: [event(1, user_name="bobbie")]})
    await granted.here.index.refresh(reader)
    assert granted.status("POST", f"{prefix}-t-acme-reader/_search") == 403
    assert granted.status("PUT", f"{prefix}-t-acme-reader/_doc/x", {}) == 403

    victim = {"aliases": {f"{prefix}-t-victim": {"is_write_index": True}}}
    mine = [{"add": {"index": granted.here.names()[0], "alias": name}}]
    assert granted.status("PUT", name.lower()) == 403
    assert granted.status("PUT", name.lower(), victim) == 403
    assert granted.status("PUT", name) == 400, "no index can be called so"
    assert granted.status("PUT", name, victim) in {400, 403}
    assert granted.status("POST", "_aliases", {"actions": mine}) == 403
    assert granted.status("POST", f"{name}/_search") in {403, 404}
    assert not [index for index in granted.here.names() if "eader" in index]


async def test_one_installation_reaches_nothing_of_another_whose_prefix_begins_like_its_own(opensearch: OpenSearch) -> None:
    async with on(opensearch) as here, on(opensearch, f"{here.prefix}-eu") as other:
        name, password = here.prefix, "Pass-word-of-the-shorter-1"
        server = here.server
        server.ask("PUT", f"{_SECURITY}/roles/{name}", service_role(name))
        server.ask("PUT", f"{_SECURITY}/internalusers/{name}", {"password": password, "opendistro_security_roles": [name]})
        await other.index.prepare(GLOBEX)
        await other.index.prepare(ACME, pooled=True)
        as_service = OpenSearchConnection.from_url(
            f"opensearch://{name}@127.0.0.1:{server.port}/{name}?tls=true&cafile={server.ca}", password
        )
        index = OpenSearchIndex(as_service)
        for scope, pooled in ((GLOBEX, False), (ACME, True)):
            with pytest.raises(IndexMissing):
                await index.check(scope)
            await index.prepare(scope, pooled=pooled)
            await index.check(scope)
        await index.close()
        for theirs in other.names():
            for method, path in (("GET", f"{theirs}/_doc/x"), ("POST", f"{theirs}/_search"), ("DELETE", theirs)):
                assert server.request(method, path, auth=(name, password)).status_code == 403, path
        for kind in ("internalusers", "roles"):
            server.ask("DELETE", f"{_SECURITY}/{kind}/{name}")


async def test_goes_on_reading_after_a_rebuild_and_sees_nothing_in_a_pool(granted: Granted) -> None:
    alias = f"{granted.here.prefix}-t-acme"
    async with granted.here.index.rebuild(ACME) as generation:
        await generation.write([event(2, user_name="again")])
    assert granted.found(f"{alias}/_search") == ["again"]

    async with granted.here.index.rebuild(ACME, pooled=True) as generation:
        await generation.write([event(3, user_name="pooled")])
    assert granted.status("POST", f"{alias}/_search") == 403


async def test_there_is_none_for_a_pooled_tenant(opensearch: OpenSearch) -> None:
    async with on(opensearch) as here:
        access = TenantAccess(here.connection)
        await here.index.prepare(ACME, pooled=True)
        assert await access.grant(ACME) is None
        async with here.index.rebuild(ACME, pooled=False) as generation:
            await generation.write([event(1)])
        assert await access.grant(ACME) is not None
        await access.revoke(ACME)
        await access.close()


async def test_a_revoked_user_is_none(granted: Granted) -> None:
    access = TenantAccess(granted.here.connection)
    await access.revoke(ACME)
    await access.revoke(ACME)
    assert granted.status("GET", f"{granted.here.prefix}-t-acme/_search") == 401
    auth = await access.grant(ACME)
    assert auth not in {None, granted.auth}
    assert granted.here.server.request("GET", f"{granted.here.prefix}-t-acme/_search", auth=auth).status_code == 200
    await access.close()


async def test_only_for_tenants_with_an_index_and_by_those_who_may(opensearch: OpenSearch, granted: Granted) -> None:
    async with on(opensearch) as empty:
        access = TenantAccess(empty.connection)
        with pytest.raises(IndexMissing):
            await access.grant(ACME)
        await access.close()
    url = f"opensearch://{granted.auth[0]}@{opensearch.host}:{opensearch.port}/{granted.here.prefix}?tls=true&cafile={opensearch.ca}"
    access = TenantAccess(OpenSearchConnection.from_url(url, granted.auth[1]))
    with pytest.raises(IndexUnavailable) as refused:
        await access.grant(GLOBEX)
    assert granted.auth[1] not in str(refused.value)
    await access.close()
