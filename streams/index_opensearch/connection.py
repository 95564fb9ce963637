"""Where an OpenSearch is, and who asks it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from streams.index_opensearch.names import check_prefix

_FORM: Final = "opensearch://[user@]host:port[,host:port…]/PREFIX?cafile=…"
_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?", re.ASCII)
_MAX_POOLS: Final = 100


@dataclass(frozen=True, slots=True)
class OpenSearchConnection:
    """Where the engine is, who asks it, and what its indexes are called.

    Attributes:
        hosts: its nodes, any of which is asked, as (host, port).
        prefix: the beginning of every index name; deployments that share an engine differ in it.
        user: who asks; empty without security.
        password: not shown.
        tls: whether to use TLS, with the certificate and the name checked; without it, the password and all events are sent in clear.
        cafile: the authority that signed its certificate, if the system does not know it.
        replicas: copies of each index; None: one as soon as there is a second node.
        pools: how many indexes the pooled tenants share; two at least, since a rebuild moves from one to another.
    """

    hosts: tuple[tuple[str, int], ...]
    prefix: str
    user: str = ""
    password: str = field(default="", repr=False)
    tls: bool = True
    cafile: Path | None = None
    replicas: int | None = None
    pools: int = 4

    @classmethod
    def from_url(cls, url: str, password: str = "") -> Self:
        """The connection that a URL names; see `_FORM`. Further options: `replicas=` and `pools=`.

        TLS is on unless every host is this machine, or `tls=false` is written.

        Raises:
            ValueError: the URL can't be used; says what to change, without repeating secrets.
        """
        parts = urlsplit(url)
        if parts.scheme != "opensearch":
            raise ValueError(f"an OpenSearch URL is {_FORM}")
        user, at, addresses = parts.netloc.rpartition("@")
        if ":" in user:
            raise ValueError("the password does not belong into the OpenSearch URL; give it apart, and only `user@` here")
        if parts.fragment:
            raise ValueError(f"an OpenSearch URL has no `#`; write {_FORM}")
        if password and not user:
            raise ValueError("there is an OpenSearch password but no user; write opensearch://user@host:port/PREFIX")
        if at and not (user and password):
            raise ValueError("the OpenSearch URL has a user but there is no password; give both or none")
        options = _options(parts.query)
        hosts = tuple(_host(address) for address in addresses.split(","))
        tls = _yes(options["tls"]) if "tls" in options else not all(_is_here(host) for host, _ in hosts)
        if "cafile" in options and not tls:
            raise ValueError("`cafile` in the OpenSearch URL would not be used, since TLS is off; write `tls=true`, or leave it out")
        return cls(
            hosts=hosts,
            prefix=check_prefix(unquote(parts.path).strip("/") or "tenantry"),
            user=unquote(user),
            password=password,
            tls=tls,
            cafile=Path(options["cafile"]) if "cafile" in options else None,
            replicas=_number("replicas", options["replicas"], 0, 10) if "replicas" in options else None,
            pools=_number("pools", options.get("pools", "4"), 2, _MAX_POOLS),
        )


def _options(query: str) -> dict[str, str]:
    found = dict(parse_qsl(query, keep_blank_values=True))
    known = {"tls", "cafile", "replicas", "pools"}
    if strange := sorted(set(found) - known):
        raise ValueError(f"the OpenSearch URL has unknown options {', '.join(strange)[:200]}; known are {', '.join(sorted(known))}")
    return found


def _host(address: str) -> tuple[str, int]:
    found = _HOST.fullmatch(address)
    if not found or not 0 < int(found[2] or 9200) < 65536:
        raise ValueError(f"{address[:80]!r} in the OpenSearch URL is no host:port; write {_FORM}")
    return found[1].strip("[]"), int(found[2] or 9200)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _yes(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError("`tls` in the OpenSearch URL is `true` or `false`")
    return text == "true"


def _number(name: str, text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text[:9]) <= most):
        raise ValueError(f"`{name}` in the OpenSearch URL is a number from {least} to {most}")
    return int(text)
