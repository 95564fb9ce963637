"""Where OpenSearch is: what a URL says, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.index_opensearch import OpenSearchConnection, OpenSearchIndex
from streams.index_opensearch.names import Names, check_prefix


def test_reads_a_url() -> None:
    url = "opensearch://svc%40x@one:9201,two,[::1]:9203/my-prefix?tls=true&cafile=/etc/ca.pem&replicas=2&pools=8"
    assert OpenSearchConnection.from_url(url, "secret") == OpenSearchConnection(
        hosts=(("one", 9201), ("two", 9200), ("::1", 9203)),
        prefix="my-prefix",
        user="svc@x",
        password="secret",
        tls=True,
        cafile=Path("/etc/ca.pem"),
        replicas=2,
        pools=8,
    )
    assert OpenSearchConnection.from_url("opensearch://one") == OpenSearchConnection(hosts=(("one", 9200),), prefix="tenantry")


@pytest.mark.parametrize(
    ("url", "tls"),
    [
        ("opensearch://me@one/x", True),
        ("opensearch://me@one/x?cafile=/etc/ca.pem", True),
        ("opensearch://me@10.0.0.1/x", True),
        ("opensearch://me@127.0.0.1,one/x", True),
        ("opensearch://me@localhost.example/x", True),
        ("opensearch://me@127.0.0.1.example/x", True),
        ("opensearch://me@127.0.0.1/x?tls=true&cafile=/etc/ca.pem", True),
        ("opensearch://me@one/x?tls=false", False),
        ("opensearch://me@127.0.0.1/x", False),
        ("opensearch://me@127.9.9.9,[::1]:9201,localhost/x", False),
    ],
)
def test_passwords_leave_this_machine_through_tls_only_unless_it_is_said_so(url: str, tls: bool) -> None:
    assert OpenSearchConnection.from_url(url, "secret").tls is tls


def test_shows_no_password() -> None:
    assert "secret" not in repr(OpenSearchConnection.from_url("opensearch://me@one/x", "secret"))


@pytest.mark.parametrize(
    ("url", "password", "says"),
    [
        ("https://one/x", "", "an OpenSearch URL is"),
        ("opensearch://me:secret@one/x", "", "does not belong into"),
        ("opensearch://me@one/x", "", "there is no password"),
        ("opensearch://one/x", "secret", "no user"),
        ("opensearch:///x", "", "host:port"),
        ("opensearch://one:99999/x", "", "host:port"),
        ("opensearch://one:/x", "", "host:port"),
        ("opensearch://one,,two/x", "", "host:port"),
        ("opensearch://one/UPPER", "", "prefix"),
        ("opensearch://one/a/b", "", "prefix"),
        ("opensearch://one/a-t-b", "", "prefix"),
        ("opensearch://one/pool", "", "prefix"),
        ("opensearch://one/x?tls=yes", "", "`tls`"),
        ("opensearch://one/x?tls=false&cafile=/etc/ca.pem", "", "TLS is off; write `tls=true`"),
        ("opensearch://127.0.0.1/x?cafile=/etc/ca.pem", "", "TLS is off; write `tls=true`"),
        ("opensearch://one/x?replicas=-1", "", "`replicas`"),
        ("opensearch://one/x?pools=1", "", "`pools`"),
        ("opensearch://one/x?password=secret", "", "unknown options password"),
        ("opensearch://one/x#y", "", "no `#`"),
    ],
)
def test_says_what_is_wrong_without_secrets(url: str, password: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        OpenSearchConnection.from_url(url, password)
    assert "secret" not in str(refused.value)


def test_a_missing_authority_is_told() -> None:
    with pytest.raises(ValueError, match=r"nowhere\.pem can't be read"):
        OpenSearchIndex(OpenSearchConnection.from_url("opensearch://one/x?tls=true&cafile=/nowhere.pem"))


def test_no_name_of_a_tenant_is_anothers() -> None:
    names = Names(check_prefix("x"), 2)
    tenants = ["acme", "acme-g1", "acme-1", "t", "t-acme", "pool", "pool-1"]
    aliases = [names.alias(tenant) for tenant in tenants]
    indexes = [names.own(tenant, generation) for tenant in tenants for generation in (1, 2, 11)]
    assert len({*aliases, *indexes}) == len(aliases) + len(indexes)
    for tenant in tenants:
        begin = names.generations(tenant).removesuffix("*")
        assert [name for name in (*aliases, *indexes) if name.startswith(begin)] == [names.own(tenant, n) for n in (1, 2, 11)]
        assert names.tenant_of(names.alias(tenant)) == tenant
        assert names.other_pool(tenant, names.pool_of(tenant)) != names.pool_of(tenant)
        assert not any(name.startswith(names.every_pool.removesuffix("*")) for name in (*aliases, *indexes))
