"""Domains: whose public documents are answered under which host name, besides the platform's own.

One aggregate for all tenants, as for sources, because a domain has one owner at most.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from services.errors import Conflict, Invalid
from services.tenants.tenant import Tenant
from streams.control_log import ControlEvent, ControlLog, Projection

DOMAINS: Final = "@domains"
MOST_DOMAINS: Final = 20
"""Of one tenant."""
_DOMAIN: Final = re.compile(r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
"""RFC 1123, section 2.1, of two labels at least; the last one begins with a letter, so that it is no address."""


class Domains(Projection):
    """All tenants' domains."""

    def __init__(self) -> None:
        self._domains: dict[str, tuple[str, ...]] = {}
        self._owners: dict[str, str] = {}
        self._deleted: set[str] = set()

    def apply(self, key: str, event: ControlEvent) -> None:
        """Folds `domains_declared`, which names all of the owner's domains, and `tenant_deleted`, in whatever order they come."""
        if event.type == "tenant_deleted":
            self._deleted.add(key)
            self._set(key, ())
        elif key == DOMAINS and event.type == "domains_declared" and event.data["owner"] not in self._deleted:
            self._set(event.data["owner"], tuple(event.data["domains"]))

    def of(self, tenant: str) -> tuple[str, ...]:
        """The tenant's domains, in its order."""
        return self._domains.get(tenant, ())

    def owner(self, host: bytes) -> str | None:
        """Whose domain a `Host` header (RFC 9110, section 7.2) names, whatever the port; None if it is nobody's."""
        if not self._owners:
            return None
        return self._owners.get(host.decode("latin-1").partition(":")[0].rstrip(".").lower())

    def _set(self, tenant: str, domains: tuple[str, ...]) -> None:
        for domain in self._domains.pop(tenant, ()):
            if self._owners.get(domain) == tenant:  # the next owner's declaration may be folded before this one's deletion
                del self._owners[domain]
        if domains:
            self._domains[tenant] = domains
            self._owners.update(dict.fromkeys(domains, tenant))


async def declare_domains(
    control: ControlLog, domains: Domains, owner: str, declared: Sequence[str], issuer_base: str, by: str, now: int
) -> None:
    """Makes these the owner's domains, and no others. Doing it again changes nothing.

    Raises:
        Invalid: one can't be a domain, is there twice, or is the platform's own.
        Conflict: one belongs to another tenant.
    """
    for domain in declared:
        _check(domain, issuer_base)
    if len(set(declared)) < len(declared):
        raise Invalid("domains: one of them is named twice")

    async def decide() -> Sequence[ControlEvent]:
        if domains.of(owner) == tuple(declared):
            return []
        if taken := sorted(domain for domain in declared if domains.owner(domain.encode("ascii")) not in {None, owner}):
            raise Conflict(f"the domain {taken[0]!r} belongs to another tenant; take it from that one first")
        return [ControlEvent(type="domains_declared", at=now, by=by, data={"owner": owner, "domains": list(declared)})]

    await control.commit(DOMAINS, decide)


def jwks_uri_of(tenant: Tenant, domains: Domains, issuer_base: str) -> str:
    """Where the tenant's JWKS is: under its own domain, if it issues under one, so that no relying party depends on the platform's name."""
    if tenant.issuer is not None and domains.owner((parts := urlsplit(tenant.issuer)).netloc.encode("ascii")) == tenant.id:
        return f"{parts.scheme}://{parts.netloc}/jwks.json"
    return f"{issuer_base}/t/{tenant.id}/jwks.json"


def _check(domain: str, issuer_base: str) -> None:
    if not _DOMAIN.fullmatch(domain):
        raise Invalid(f"domains: {domain[:80]!a} is no domain: write it in lower case, without scheme, port and path, as 'id.example.com'")
    if domain == urlsplit(issuer_base).hostname:
        raise Invalid(f"domains: {domain!r} is the platform's own name, which is all tenants'")
