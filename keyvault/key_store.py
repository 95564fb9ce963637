"""The port `KeyStore`: keeps private keys, signs with them, and never returns one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from keyvault.algorithms import Algorithm, PrivateKey
from keyvault.jwk import PublicJwk
from keyvault.key import Key
from streams.scope import TenantScope


@dataclass(frozen=True, slots=True)
class KeyName:
    """Names a key in a store: the tenant's `ordinal`-th key, of this algorithm.

    The name is derived, not random, so that an attempt that was interrupted between the store and the log finds its key again.

    Attributes:
        imported: the thumbprint (RFC 7638) of a key that was made elsewhere, whose ordinal is 0; so no key that is made can meet one
            that an interrupted import has left.
    """

    scope: TenantScope
    ordinal: int
    algorithm: Algorithm
    imported: str | None = None

    @classmethod
    def of(cls, scope: TenantScope, key: Key) -> Self:
        """The name of a ring's key."""
        return cls(scope, key.ordinal, key.algorithm, key.jwk.thumbprint() if key.imported else None)

    @property
    def number(self) -> str:
        """What tells it from the tenant's other keys of its algorithm."""
        return str(self.ordinal) if self.imported is None else f"imported-{self.imported}"

    def __str__(self) -> str:
        return f"{self.scope.tenant}/{self.number}-{self.algorithm}"


class KeyStore(Protocol):
    """Keeps the private halves of the tenants' keys.

    What every adapter keeps, however many processes use it at once:

    - no call returns or logs a private key;
    - `create` answers the same key whenever it is called with the same name: if two processes race, both get the winner's;
    - a key that `create` or `adopt` returned is there after any crash;
    - a key that was adopted can't be got out again, just as one that was created here;
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

    async def adopt(self, name: KeyName, private: PrivateKey) -> PublicJwk:
        """Takes in a key that was made elsewhere, or finds that it has: its public half, named by its thumbprint.

        Args:
            name: with the key's thumbprint (`imported`).
            private: the key, which leaves this process at most encrypted for the store.

        Raises:
            KeyStoreConflict: the store holds something else under this name.
            KeyDestroyed: it was destroyed, and can't come back.
            InvalidImport: this store can't keep such a key.
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
