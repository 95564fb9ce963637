"""Keys that were made elsewhere: published so that their tokens verify, or adopted by the key store so that they sign here."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from keyvault import base64url, import_commands
from keyvault.algorithms import Algorithm, fits
from keyvault.errors import KeyNotFound, WrongState
from keyvault.foreign_jwks import ForeignJwks, read_public_keys
from keyvault.jwk import PublicJwk
from keyvault.jwks import MAX_BYTES
from keyvault.key import KeyState
from keyvault.key_store import KeyName, KeyStore
from keyvault.plan import Plan
from keyvault.private_key import ForeignKey, read_private_key
from keyvault.ring import Ring
from services.errors import UnusableAnswer
from services.keys.custodian import Custodian, Done
from services.keys.rings import Rings
from services.outbound.client import Outbound
from streams.scope import TenantScope

_ACCEPT: Final = "application/jwk-set+json, application/json;q=0.9"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """How a private key is to be taken in.

    Attributes:
        key: as it was given.
        kid: what it is called; None: as it says itself, as its public half that was imported before is called, or its thumbprint.
        algorithm: what it is used with; None: likewise, or the policy's.
        known_since: see `keyvault.import_commands.adopt`, as are `activate` and `reason`.
    """

    key: ForeignKey
    kid: str | None = None
    algorithm: Algorithm | None = None
    known_since: int | None = None
    activate: bool = False
    reason: str | None = None


class Imports:
    """Imports keys into tenants' rings."""

    def __init__(self, custodian: Custodian, rings: Rings, store: KeyStore, outbound: Outbound) -> None:
        self._custodian = custodian
        self._rings = rings
        self._store = store
        self._outbound = outbound

    async def fetch(self, url: str) -> ForeignJwks:
        """The public keys at a URL that a tenant names.

        Raises:
            InvalidImport: what is there can't be imported.
            OutboundError: it may not be called, or does not answer with a JWK set.
        """
        answer = await self._outbound.fetch(url, accept=_ACCEPT, most=MAX_BYTES)
        if answer.status != HTTPStatus.OK:
            raise UnusableAnswer(
                f"the address answers {answer.status} instead of a JWK set; name the one that is in its discovery as jwks_uri"
            )
        return read_public_keys(answer.body)

    async def publish(
        self, scope: TenantScope, keys: Sequence[PublicJwk], publish_until: int, *, until: str, by: str, command: str | None
    ) -> Done:
        """Publishes these keys, all or none of them; see `keyvault.import_commands.publish`. `until` is `publish_until` as it was asked."""

        def plan(ring: Ring, now: int) -> Plan:
            return import_commands.publish(ring, ring.policy, now, keys, publish_until)

        said = "\n".join([*(f"{jwk.kid} {jwk.alg} {jwk.thumbprint()}" for jwk in keys), until])
        return await self._custodian.carry_out(scope, plan, by=by, command=command, fingerprint=f"import {_digest(said)}")

    async def adopt(self, scope: TenantScope, asked: Adoption, *, by: str, command: str | None) -> Done:
        """Publishes a key, puts its private half into the key store, and lets it sign; see `keyvault.import_commands.adopt`.

        The log names the key before the store has it. So whatever is killed in between, the same command goes on with it; and if nobody
        repeats it, the key leaves the store when its time is over, like any other.

        If somebody has the key destroyed while the store takes it in, it is destroyed there once more: the log says that it is gone.

        Raises:
            KeyStoreUnavailable: the store can't take it now, or can't destroy it again; ask again.
        """
        jwk = _named(self._rings.of(scope.tenant), asked)
        private = asked.key.private

        def published(ring: Ring, now: int) -> Plan:
            plan = import_commands.publish(ring, ring.policy, now, [jwk], now + import_commands.INTERRUPTED, private=True)
            after = ring
            for event in plan.events(ring, {}):
                after = after.apply(event)
            adopted(after, now)  # what will be refused is refused now, before anything has happened
            return plan

        def adopted(ring: Ring, now: int) -> Plan:
            return import_commands.adopt(
                ring, ring.policy, now, jwk.kid, known_since=asked.known_since, activate=asked.activate, reason=asked.reason
            )

        # Not the time of `known_since`: "now-30d" means another at each repetition.
        said = f"adopt {_digest(f'{jwk.kid} {jwk.alg} {jwk.thumbprint()}')} {asked.known_since is not None} {asked.activate}"
        try:
            await self._custodian.carry_out(scope, published, by=by)
            await self._store.adopt(KeyName(scope, 0, jwk.alg, jwk.thumbprint()), private)
            return await self._custodian.carry_out(scope, adopted, by=by, command=command, fingerprint=said)
        except WrongState:
            await self._bury(scope, jwk.thumbprint())
            raise

    async def _bury(self, scope: TenantScope, thumbprint: str) -> None:
        """Destroys in the store what the log says is destroyed: an import that came too late may have brought it there again."""
        for key in self._rings.of(scope.tenant).keys:
            if key.imported and key.state is KeyState.DESTROYED and key.jwk.thumbprint() == thumbprint:
                with suppress(KeyNotFound):
                    await self._store.destroy(KeyName.of(scope, key))


async def read(text: str | Mapping[str, Any]) -> ForeignKey:
    """Reads a private key, off the event loop: the check of a large one takes long. See `keyvault.private_key.read_private_key`."""
    return await asyncio.to_thread(read_private_key, text)


def _named(ring: Ring, asked: Adoption) -> PublicJwk:
    """The public half, called as it was and used with what it was used with, as far as anybody knows."""
    key = asked.key
    known = next((one for one in ring.keys if one.jwk.thumbprint() == key.thumbprint), None)
    default = ring.policy.algorithm if fits(ring.policy.algorithm, key.private) else None
    algorithm = asked.algorithm or key.algorithm or (known.algorithm if known is not None else default)
    if algorithm is None:
        algorithm = next(one for one in Algorithm if fits(one, key.private))
    return key.public(algorithm, asked.kid or key.kid or (known.kid if known is not None else None))


def _digest(text: str) -> str:
    return base64url.encode(hashlib.sha256(text.encode()).digest())
