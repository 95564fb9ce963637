"""Made up for these tests: keys that cost nothing, and rings that plans were carried out on without a store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from keyvault.algorithms import Algorithm, PrivateKey
from keyvault.commands import scheduled
from keyvault.durations import HOUR, MINUTE
from keyvault.events import KeyEvent
from keyvault.jwk import PublicJwk
from keyvault.plan import Created, Plan
from keyvault.policy import Policy
from keyvault.ring import Ring

NOW = 1_800_000_000_000
POLICY = Policy(algorithm=Algorithm.EDDSA)


def with_policy(**changes: Any) -> Policy:
    """POLICY with other settings."""
    return msgspec.structs.replace(POLICY, **changes)


@lru_cache(maxsize=1024)
def private(ordinal: int, algorithm: Algorithm = Algorithm.EDDSA) -> PrivateKey:
    """Always the same key for an ordinal."""
    if algorithm is Algorithm.EDDSA:
        return ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(str(ordinal).encode()).digest())
    assert algorithm is Algorithm.ES256
    return ec.derive_private_key(ordinal + 1, ec.SECP256R1())


@lru_cache(maxsize=1024)
def jwk(ordinal: int, algorithm: Algorithm = Algorithm.EDDSA) -> PublicJwk:
    return PublicJwk.from_public_key(private(ordinal, algorithm).public_key(), algorithm)


@dataclass
class History:
    """A ring and the events it was folded from."""

    ring: Ring = field(default_factory=Ring.empty)
    events: list[KeyEvent] = field(default_factory=list)

    def carry_out(self, plan: Plan, *, away: bool = False) -> tuple[KeyEvent, ...]:
        """What `Keeper` does, with a store that works or is away."""
        created = {} if away else {one: Created(one.ordinal, jwk(one.ordinal, one.algorithm)) for one in plan.creations}
        destroyed = frozenset() if away else frozenset(plan.destructions)
        events = plan.events(self.ring, created, destroyed)
        self.append(events)
        return events

    def append(self, events: Iterable[KeyEvent]) -> None:
        for event in events:
            self.ring = self.ring.apply(event)
            self.events.append(event)

    def settle(self, now: int, policy: Policy = POLICY) -> tuple[KeyEvent, ...]:
        return self.carry_out(scheduled(self.ring, policy, now))


def settled(now: int = NOW, policy: Policy = POLICY) -> History:
    """A new tenant's ring: key 1 active, key 2 standby."""
    history = History()
    history.settle(now, policy)
    return history


def kids(ring: Ring, now: int) -> list[int]:
    """The ordinals of the published keys, in the order of the JWKS."""
    return [key.ordinal for key in ring.published(now)]


KEPT = HOUR + 2 * 5 * MINUTE  # how long POLICY keeps a deactivated key published
