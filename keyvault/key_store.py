"""The port `KeyStore`: keeps private keys, signs with them, and never returns one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from keyvault.algorithms import Algorithm
from keyvault.jwk import PublicJwk
from streams.scope import TenantScope


@dataclass(frozen=True, slots=True)
class KeyName:
    """Names a key in a store: the tenant's `ordinal`-th key, of this algorithm.

    The name is derived, not random, so that an attempt that was interrupted between the store and the log finds its key again.
    """

    scope: TenantScope
    ordinal: int
    algorithm: Algorithm

    def __str__(self) -> str:
        return f"{self.scope.tenant}/{self.ordinal}-{self.algorithm}"


class KeyStore(Protocol):
    """Keeps the private halves of the tenants' keys.

    What every adapter keeps, however many processes use it at once:

    - no call returns or logs a private key;
    - `create` answers the same key whenever it is called with the same name: if two processes race, both get the winner's;
    - a key that `create` returned is there after any crash;
    - a signature is made with the named key and its own algorithm only.

    Errors: `KeyStoreUnavailable` from every call when the store can't answer now (sealed, away, disk full); if that is so whichever key
    it is asked about, and every further call would only wait for nothing, it is a `KeyStoreDown`.
    """

    async def create(self, name: KeyName) -> PublicJwk:
        """Creates the key, or finds it: its public half.

        Raises:
            KeyStoreConflict: the store holds something else under this name.
            KeyDestroyed: it was destroyed; take another ordinal.
        """
        ...

    async def public_key(self, name: KeyName) -> PublicJwk:
        """The public half.

        Raises:
            KeyNotFound: there is no such key.
        """
        ...

    async def sign(self, name: KeyName, messages: Sequence[bytes]) -> Sequence[bytes]:
        """JWS signatures (RFC 7518, RFC 8037) of the messages, in their order: for ECDSA the fixed-length `R || S`.

        Raises:
            KeyNotFound: there is no such key.
        """
        ...

    async def destroy(self, name: KeyName) -> None:
        """Destroys the key for good; destroying it again changes nothing. Its name can't be created again.

        Raises:
            KeyNotFound: there never was such a key.
        """
        ...

    async def close(self) -> None:
        """Releases connections. Keys stay."""
        ...
