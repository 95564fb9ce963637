"""The sender: has a notice signed by the key that is active now, and pushes it (RFC 8935 section 2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from keyvault.errors import KeyVaultError
from keyvault.key_store import KeyStore
from keyvault.security_event import MEDIA_TYPE, SecurityEvent, sign_security_event
from services.errors import OutboundError
from services.keys.rings import Rings
from services.notices.attempt import Attempt, Trouble, answered, failed
from services.notices.notice import TOLD, Notice
from services.outbound.client import Outbound
from services.tenants.commands import issuer_of
from services.tenants.tenant import Tenant, Tenants
from streams.scope import TenantScope

_log = structlog.get_logger(__name__)
_SIGN_SECONDS: Final = 10.0
_HEADERS: Final[Mapping[str, str]] = {"Content-Type": MEDIA_TYPE, "Accept": "application/json"}


class Sender:
    """Signs and sends; what became of it is the caller's to record."""

    def __init__(
        self, store: KeyStore, rings: Rings, tenants: Tenants, outbound: Outbound, issuer_base: str, now: Callable[[], int]
    ) -> None:
        self._store = store
        self._rings = rings
        self._tenants = tenants
        self._outbound = outbound
        self._issuer_base = issuer_base
        self._now = now

    async def send(self, scope: TenantScope, relying_party: str, webhook: str, notice: Notice) -> Attempt:
        """One attempt; it takes some twenty seconds at most, and never raises."""
        tenant = self._tenants.find(scope.tenant)
        assert tenant is not None, "its notices would be gone with it"
        try:
            async with asyncio.timeout(_SIGN_SECONDS):
                token = await self._sign(scope, tenant, relying_party, notice)
        except (KeyVaultError, TimeoutError) as error:
            _log.warning("notice_not_signed", tenant=scope.tenant, relying_party=relying_party, error=str(error))
            return Attempt(Trouble.NOT_SIGNED)
        try:
            return answered(await self._outbound.push(webhook, token.encode("ascii"), _HEADERS))
        except OutboundError as error:
            return failed(error)

    async def _sign(self, scope: TenantScope, tenant: Tenant, relying_party: str, notice: Notice) -> str:
        issuer = issuer_of(tenant, self._issuer_base)
        event = SecurityEvent(type=TOLD[notice.event], kid=notice.kid, at=notice.at, jti=notice.id, audience=relying_party)
        while True:
            ring = self._rings.of(scope.tenant)
            signed = await sign_security_event(self._store, scope, ring, event, issuer=issuer, now=self._now())
            # Reported as compromised, or replaced, while the key store signed: nobody may get this token.
            active = self._rings.of(scope.tenant).active
            if active is not None and active.kid == signed.kid:
                return signed.token
