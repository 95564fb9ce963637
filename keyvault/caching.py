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
        lifetime: how long it keeps what it fetched, at most; None: until it is restarted, or something else makes it fetch.
        refetches: whether it fetches when a token names a `kid` that it does not have.
        cooldown: the least time between two fetches for such a `kid`.
        burst: how many of them may come at once before the cooldown holds; it gains one per cooldown.
        per_key: whether it keeps each key by itself, so that fetching another does not drop a bad one.
        most_keys: how many keys it can hold; None: as many as there are.
        background: whether it fetches behind the back of the token that made it fetch, which is judged by what it had before.
        grace: how long it goes on accepting keys of the set before, after it has fetched one without them.
        keeps_stale: whether it goes on with what it has when it can't fetch; else it refuses every token until it can.
        algorithms_once: whether it takes the algorithms that it allows from what is published when it starts, and never again.
    """

    lifetime: int | None
    refetches: bool
    cooldown: int = 0
    burst: int = 1
    per_key: bool = False
    most_keys: int | None = None
    background: bool = False
    grace: int = 0
    keeps_stale: bool = False
    algorithms_once: bool = False


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
        # panva/jose, src/jwks/remote.ts: cacheMaxAge 600000, cooldownDuration 30000 after the last fetch that succeeded.
        "jose": ClientLibrary("jose (npm), createRemoteJWKSet", Caching(lifetime=10 * MINUTE, refetches=True, cooldown=30 * SECOND)),
        # auth0/node-jwks-rsa 3.2.0, src/wrappers/cache.js: an LRU by kid, cacheMaxEntries 5, cacheMaxAge 600000; its rate limit is off.
        "jwks-rsa": ClientLibrary("jwks-rsa (npm)", Caching(lifetime=10 * MINUTE, refetches=True, per_key=True, most_keys=5)),
        # auth0/jwks-rsa-java, JwkProviderBuilder.java: an LRU by kid, 5 keys, 10 h; BucketImpl(10, 1, MINUTES) holds 10 fetches and gains
        # one a minute (BucketImpl.getRatePerToken), not ten.
        "jwks-rsa-java": ClientLibrary(
            "jwks-rsa-java", Caching(lifetime=10 * HOUR, refetches=True, cooldown=1 * MINUTE, burst=10, per_key=True, most_keys=5)
        ),
        # Nimbus, JWKSourceBuilder: DEFAULT_CACHE_TIME_TO_LIVE 300000, DEFAULT_RATE_LIMIT_MIN_INTERVAL 30000, in which
        # RateLimitedJWKSetSource lets two fetches through; outage tolerance is off.
        "nimbus": ClientLibrary(
            "Nimbus JOSE + JWT, JWKSourceBuilder", Caching(lifetime=5 * MINUTE, refetches=True, cooldown=30 * SECOND, burst=2)
        ),
        # Spring Security 7.1, JwkSetUriJwtDecoderBuilder.jwkSource: Nimbus' five minutes, with refreshAheadCache(false) and
        # rateLimited(false) (spring-security#19643). JwtDecoderProviderConfigurationUtils.getSignatureAlgorithms: those of the keys in the
        # JWKS when the decoder is made from an issuer; from a JWKS URI it allows what it was told, by default RS256 alone.
        "spring": ClientLibrary("Spring Security, NimbusJwtDecoder", Caching(lifetime=5 * MINUTE, refetches=True, algorithms_once=True)),
        # jpadilla/pyjwt 2.15, jwt/jwks_client.py: cache_jwk_set with lifespan 300, cache_keys off; get_signing_key refreshes for an unknown
        # kid, but not within 30 s of a fetch that succeeded.
        "pyjwt": ClientLibrary("PyJWT, PyJWKClient", Caching(lifetime=300 * SECOND, refetches=True, cooldown=30 * SECOND)),
        # coreos/go-oidc, oidc/jwks.go: RemoteKeySet.verify fetches if no cached key fits; cachedKeys never expire. oidc/oidc.go:
        # NewProvider keeps the algorithms that discovery names then, and its verifiers allow no other.
        "go-oidc": ClientLibrary("go-oidc, RemoteKeySet", Caching(lifetime=None, refetches=True, algorithms_once=True)),
        # awslabs/aws-jwt-verify, src/jwk.ts: SimpleJwksCache never expires; SimplePenaltyBox waits 10 s after a fetch without the kid.
        "aws-jwt-verify": ClientLibrary("aws-jwt-verify", Caching(lifetime=None, refetches=True, cooldown=10 * SECOND)),
        # Microsoft.IdentityModel 8, ConfigurationManager.cs: 12 h and a jitter (5 % of it; up to an hour in version 7); since 8.0.2 (issue
        # 3192) updated in the background once there is a configuration, also by RequestRefresh, at most every 5 min (RefreshInterval);
        # what can't be updated is kept. BaseConfigurationManager.cs: last known good configurations are good for 1 h more:
        # JsonWebTokenHandler asks GetValidLkgConfigurations, and ASP.NET Core's JwtBearerHandler sets it up so.
        "dotnet": ClientLibrary(
            ".NET, ConfigurationManager",
            Caching(lifetime=13 * HOUR, refetches=True, cooldown=5 * MINUTE, background=True, grace=1 * HOUR, keeps_stale=True),
        ),
        # istio/istio, pilot/pkg/model/jwks_resolver.go: refreshed every PILOT_JWT_PUB_KEY_REFRESH_INTERVAL, 20 min; what can't be refreshed
        # is kept, up to a week (JwtPubKeyEvictionDuration).
        "istio": ClientLibrary("Istio, RequestAuthentication", Caching(lifetime=20 * MINUTE, refetches=False, keeps_stale=True)),
        # Amazon API Gateway Developer Guide, "Control access to HTTP APIs with JWT authorizers": it "can cache the public key for two
        # hours"; that it would fetch for an unknown kid is not said.
        "aws-api-gateway": ClientLibrary("Amazon API Gateway, HTTP API with a JWT authorizer", Caching(lifetime=2 * HOUR, refetches=False)),
        # The same, "Signing keys and troubleshooting JWT authorizers": up to 1 hour, and again for "a key it hasn't seen".
        "aws-api-gateway-rest": ClientLibrary(
            "Amazon API Gateway, REST API with a JWT authorizer", Caching(lifetime=1 * HOUR, refetches=True)
        ),
    }
)
"""By the name that a relying party registers with. Each entry says where its rules were read."""


def sure_after(caching: Caching, policy: Policy) -> int | None:
    """How long after a key was published everybody with these rules surely has it, or gets it when a token needs it; None: nobody knows.

    What a client fetches may come from an HTTP cache, so it may be as old as `jwks_max_age` already, by a clock off by `clock_skew`.
    After that a client has the key when what it had before has expired. Whoever has no whole set that expires asks when a token comes,
    unless it has just asked.

    A client that fetches in the background looks only when a token comes in, and judges this one by what it had: without any traffic for
    longer than `lifetime` its first token is refused all the same, if it had never seen the key.
    """
    shared = policy.cached
    if caching.lifetime is not None and not caching.per_key:
        return shared + caching.lifetime
    return shared + caching.cooldown if caching.refetches else None


def exposed_for(caching: Caching, policy: Policy, *, late: int | None = 0) -> int | None:
    """How long after a key left the JWKS somebody with these rules may still accept its tokens; None: until they are restarted.

    It ends when the cache expires, or when the key that takes over (see `keyvault.readiness.ready_at`), whose `kid` nobody knows, makes it
    fetch everything anew. Whoever keeps keys one by one keeps the bad one until it expires.

    That holds if tokens of the new key come in, and the JWKS can be fetched: all this is what makes a client look again.

    Args:
        caching: its rules.
        policy: of the tenant.
        late: how much later than planned the key that takes over signs, as when the key store was away; None: none takes over, as when
            the key did not sign any more, or not yet.
    """
    shared = policy.cached
    bounds = []
    if caching.lifetime is not None:
        bounds.append(shared + caching.lifetime)
    if late is not None and caching.refetches and not caching.per_key:
        bounds.append(shared + late + caching.cooldown)
    return min(bounds) + caching.grace if bounds else None


def left_behind(policy: Policy) -> tuple[str, ...]:
    """The libraries that are not sure to have a key `publish_ahead` after it was published, by name.

    By schedule a standby is published for much longer, for a whole `rotation_period`. `publish_ahead` is all there is when people rotate
    by hand, after another algorithm was set, and when the key store was away or there was no room for a standby.
    """
    sure = {name: sure_after(library.caching, policy) for name, library in LIBRARIES.items()}
    return tuple(name for name, after in sure.items() if after is None or after > policy.publish_ahead)
