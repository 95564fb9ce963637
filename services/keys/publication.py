"""Publication: each tenant's JWKS and discovery document, encoded once and answered from memory.

Nothing here waits for Kafka, OpenSearch or Vault: relying parties are served when all of them are down.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from keyvault import base64url
from keyvault.freshness import freshness
from keyvault.ring import Ring
from services.keys.fetches import Fetches
from services.keys.rings import Rings
from services.tenants.commands import issuer_of
from services.tenants.domains import Domains, jwks_uri_of
from services.tenants.tenant import Tenant, Tenants

_DISCOVERY_MAX_AGE: Final = 300
"""At most; not longer than the JWKS either, whose algorithms it names."""


@dataclass(frozen=True, slots=True)
class Document:
    """A public document as it is served.

    Attributes:
        body: its bytes.
        etag: a strong entity tag, with its quotes.
        max_age: for how long it may be cached, in seconds.
    """

    body: bytes
    etag: str
    max_age: int


@dataclass(frozen=True, slots=True)
class _Held:
    """A JWKS and what it was made from: it is right as long as the ring is the same and `until` is ahead.

    Attributes:
        own_urls: the relying parties that fetch it from a URL of their own.
    """

    ring: Ring
    until: int | None
    document: Document
    own_urls: frozenset[str]


class Publication:
    """Makes each document when it is first asked for after a change, and answers it from memory from then on."""

    def __init__(self, tenants: Tenants, domains: Domains, rings: Rings, fetches: Fetches, issuer_base: str) -> None:
        self._tenants = tenants
        self._domains = domains
        self._fetches = fetches
        self._rings = rings
        self._issuer_base = issuer_base
        self._jwks: dict[str, _Held] = {}
        self._discovery: dict[str, tuple[Tenant, str, tuple[str, ...], int, Document]] = {}

    def owner(self, host: bytes) -> str | None:
        """The tenant whose own domain a `Host` header names, if it is one."""
        return self._domains.owner(host)

    def jwks(self, tenant: str, now: int) -> Document | None:
        """The tenant's JWKS now, or None if there is no such tenant, or not quite yet."""
        held = self._hold(tenant, now)
        return held.document if held is not None else None

    def relying_party_jwks(self, tenant: str, relying_party: str, now: int) -> Document | None:
        """The same for a relying party that has a URL of its own; None for any other."""
        held = self._hold(tenant, now)
        return held.document if held is not None and relying_party in held.own_urls else None

    def fetched(self, tenant: str, relying_party: str) -> None:
        """Called when a relying party has got its tenant's JWKS from its own URL, or has been told that it has it already."""
        self._fetches.note(tenant, relying_party)

    async def settled(self) -> None:
        """Returns when the log knows what was fetched by now, or can't."""
        await self._fetches.settled()

    def discovery(self, tenant: str, now: int) -> Document | None:
        """The tenant's metadata (OpenID Connect Discovery 1.0, section 3; RFC 8414, section 2), or None if there is no such tenant.

        Tenantry publishes keys and signs tokens; the endpoints that log people in are the identity provider's, which serves
        its own, fuller document where it has one.
        """
        found, keys = self._tenants.find(tenant), self.jwks(tenant, now)
        if found is None or keys is None:
            return None
        algorithms = tuple(sorted({key.algorithm.value for key in self._rings.of(tenant).published(now)}))
        jwks_uri = jwks_uri_of(found, self._domains, self._issuer_base)
        made_of = (found, jwks_uri, algorithms, min(keys.max_age, _DISCOVERY_MAX_AGE))
        held = self._discovery.get(tenant)
        if held is None or held[:4] != made_of:
            held = self._discovery[tenant] = (*made_of, self._metadata(*made_of))
        return held[4]

    def _hold(self, tenant: str, now: int) -> _Held | None:
        ring = self._rings.of(tenant)
        if not self._tenants.exists(tenant) or not ring.keys:
            return None  # a tenant whose first keys are being made has none to publish, and nobody may cache that
        held = self._jwks.get(tenant)
        if held is None or held.ring is not ring or (held.until is not None and now >= held.until):
            # A node whose clock is behind must not show a ring before its last event.
            moment = max(now, ring.changed_at)
            jwks, fresh = ring.jwks(moment), freshness(ring, ring.policy, moment)
            document = Document(jwks.body, jwks.etag, fresh.max_age // 1000)
            until = min((time for time in (ring.next_change(moment), fresh.until) if time is not None), default=None)
            own_urls = frozenset(party.id for party in ring.relying_parties if party.own_url)
            held = self._jwks[tenant] = _Held(ring, until, document, own_urls)
        return held

    def _metadata(self, tenant: Tenant, jwks_uri: str, algorithms: tuple[str, ...], max_age: int) -> Document:
        metadata = {
            "issuer": issuer_of(tenant, self._issuer_base),
            "jwks_uri": jwks_uri,
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": algorithms,
        }
        body = json.dumps(metadata, separators=(",", ":")).encode()
        return Document(body, f'"{base64url.encode(hashlib.sha256(body).digest()[:18])}"', max_age)
