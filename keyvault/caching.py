"""How relying parties keep a JWKS: the rules of the client libraries that they use, and what follows from them for a rotation.

All durations are milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from keyvault.durations import HOUR, MINUTE, SECOND
from keyvault.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Caching:
    """What a relying party does with a JWKS that it has fetched.

    Attributes:
        lifetime: how long it keeps what it fetched; None: until it is restarted, or something else makes it fetch.
        refetches: whether it fetches when a token names a `kid` that it does not have.
        cooldown: the least time between two fetches for such a `kid`.
        per_key: whether it keeps each key by itself, so that fetching another does not drop a bad one.
        most_keys: how many keys it can hold; None: as many as there are.
    """

    lifetime: int | None
    refetches: bool
    cooldown: int = 0
    per_key: bool = False
    most_keys: int | None = None


@dataclass(frozen=True, slots=True)
class ClientLibrary:
    """A library that fetches JWKS, with its defaults.

    Attributes:
        title: what people call it.
        caching: its rules, unless it was set up otherwise.
    """

    title: str
    caching: Caching


LIBRARIES: Final[Mapping[str, ClientLibrary]] = MappingProxyType(
    {
        "jose": ClientLibrary(
            "jose (npm), createRemoteJWKSet", Caching(lifetime=10 * MINUTE, refetches=True, cooldown=30 * SECOND)
        ),
        "jwks-rsa": ClientLibrary(
            "jwks-rsa (npm)", Caching(lifetime=10 * MINUTE, refetches=True, per_key=True, most_keys=5)
        ),
        "jwks-rsa-java": ClientLibrary(
            "jwks-rsa-java", Caching(lifetime=10 * HOUR, refetches=True, cooldown=6 * SECOND, per_key=True, most_keys=5)
        ),
        "nimbus": ClientLibrary(
            "Nimbus JOSE + JWT, JWKSourceBuilder", Caching(lifetime=5 * MINUTE, refetches=True, cooldown=30 * SECOND)
        ),
        "spring": ClientLibrary("Spring Security, NimbusJwtDecoder", Caching(lifetime=5 * MINUTE, refetches=True)),
        "pyjwt": ClientLibrary(
            "PyJWT, PyJWKClient", Caching(lifetime=300 * SECOND, refetches=True, cooldown=30 * SECOND)
        ),
        "go-oidc": ClientLibrary("go-oidc, RemoteKeySet", Caching(lifetime=None, refetches=True)),
        "aws-jwt-verify": ClientLibrary("aws-jwt-verify", Caching(lifetime=None, refetches=True, cooldown=10 * SECOND)),
        "dotnet": ClientLibrary(
            ".NET, ConfigurationManager", Caching(lifetime=12 * HOUR, refetches=True, cooldown=5 * MINUTE)
        ),
        "istio": ClientLibrary("Istio, RequestAuthentication", Caching(lifetime=20 * MINUTE, refetches=False)),
        "aws-api-gateway": ClientLibrary("Amazon API Gateway, JWT authorizer", Caching(lifetime=1 * HOUR, refetches=False)),
    }
)  # fmt: skip
"""By the name that a relying party registers with."""


def sure_after(caching: Caching, policy: Policy) -> int | None:
    """How long after a key was published everybody with these rules surely has it, or gets it when a token needs it; None: nobody knows.

    What a client fetches may come from an HTTP cache, so it may be as old as `jwks_max_age` already, by a clock that is off by
    `clock_skew`.
    """
    shared = policy.jwks_max_age + policy.clock_skew
    if caching.lifetime is not None:
        return shared + caching.lifetime
    return shared if caching.refetches else None


def exposed_for(caching: Caching, policy: Policy) -> int | None:
    """How long after a key's compromise somebody with these rules may still accept its tokens; None: until they are restarted.

    It ends when the cache expires, or when the key that takes over (see `keyvault.due.ready_at`), whose `kid` nobody knows, makes it
    fetch everything anew: provided that tokens of that key come in. Whoever keeps keys one by one keeps the bad one until it expires.
    """
    shared = policy.jwks_max_age + policy.clock_skew
    bounds = []
    if caching.lifetime is not None:
        bounds.append(shared + caching.lifetime)
    if caching.refetches and not caching.per_key:
        bounds.append(shared + caching.cooldown)
    return min(bounds, default=None)
