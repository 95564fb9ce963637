"""Publication: each tenant's JWKS and discovery document, encoded once and answered from memory.

Nothing here waits for Kafka, OpenSearch or Vault: relying parties are served when all of them are down.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from keyvault import base64url
from keyvault.ring import Ring
from services.keys.rings import Rings
from services.tenants.commands import issuer_of
from services.tenants.tenant import Tenant, Tenants

_DISCOVERY_MAX_AGE: Final = 300


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
    """A JWKS and what it was made from: it is right as long as the ring is the same and `until` is ahead."""

    ring: Ring
    until: int | None
    document: Document


class Publication:
    """Makes each document when it is first asked for after a change, and answers it from memory from then on."""

    def __init__(self, tenants: Tenants, rings: Rings, issuer_base: str) -> None:
        self._tenants = tenants
        self._rings = rings
        self._issuer_base = issuer_base
        self._jwks: dict[str, _Held] = {}
        self._discovery: dict[str, tuple[Tenant, tuple[str, ...], Document]] = {}

    def jwks(self, tenant: str, now: int) -> Document | None:
        """The tenant's JWKS now, or None if there is no such tenant, or not quite yet."""
        ring = self._rings.of(tenant)
        if not self._tenants.exists(tenant) or not ring.keys:
            return None  # a tenant whose first keys are being made has none to publish, and nobody may cache that
        held = self._jwks.get(tenant)
        if held is None or held.ring is not ring or (held.until is not None and now >= held.until):
            # A node whose clock is behind must not show a ring before its last event.
            jwks = ring.jwks(max(now, ring.changed_at))
            document = Document(jwks.body, jwks.etag, ring.policy.jwks_max_age // 1000)
            held = self._jwks[tenant] = _Held(ring, ring.next_change(now), document)
        return held.document

    def discovery(self, tenant: str, now: int) -> Document | None:
        """The tenant's OpenID provider metadata (OpenID Connect Discovery 1.0, section 3), or None if there is no such tenant.

        Tenantry publishes keys and signs tokens; the endpoints that log people in are the identity provider's, which serves
        its own, fuller document where it has one.
        """
        found = self._tenants.find(tenant)
        if found is None or not self._tenants.exists(tenant) or not self._rings.of(tenant).keys:
            return None
        algorithms = tuple(sorted({key.algorithm.value for key in self._rings.of(tenant).published(now)}))
        held = self._discovery.get(tenant)
        if held is None or held[:2] != (found, algorithms):
            held = self._discovery[tenant] = (found, algorithms, self._metadata(found, algorithms))
        return held[2]

    def _metadata(self, tenant: Tenant, algorithms: tuple[str, ...]) -> Document:
        metadata = {
            "issuer": issuer_of(tenant, self._issuer_base),
            "jwks_uri": f"{self._issuer_base}/t/{tenant.id}/jwks.json",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": algorithms,
        }
        body = json.dumps(metadata, separators=(",", ":")).encode()
        return Document(body, f'"{base64url.encode(hashlib.sha256(body).digest()[:18])}"', _DISCOVERY_MAX_AGE)
