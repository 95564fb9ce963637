"""Issuers over virtual time: what they publish, and which key signs. A token is a `kid` and a time; nothing is signed in earnest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from keyvault.commands import change_policy, scheduled
from keyvault.due import next_due
from keyvault.durations import DAY, SECOND
from keyvault.plan import Plan
from keyvault.policy import Policy
from keyvault.ring import Ring
from tests.keyvault.made import History
from tests.simulation.world import Spans, World, within

RETRY = 10 * SECOND
"""As `services.keys.scheduler` does: how soon what the key store could not do is tried again."""


@dataclass(frozen=True, slots=True)
class Token:
    kid: str
    expires: int


class Issuer(ABC):
    """What relying parties see of one: a JWKS behind a URL, and tokens that live as long as they may.

    Attributes:
        max_age: how long the JWKS may be cached by HTTP; 0: not at all (`no-cache`).
        clock: by how much the clock of the node that signs is ahead of the world's, which is the publisher's.
        changes: when the JWKS or the signing key changed.
        turns: when another key began to sign, and which (None: nothing can be signed).
    """

    def __init__(self, world: World, *, max_age: int, lifetime: int, clock: int = 0, unreachable: Spans = ()) -> None:
        self.world = world
        self.max_age = max_age
        self.lifetime = lifetime
        self.clock = clock
        self.changes: list[int] = []
        self.turns: list[tuple[int, str | None]] = []
        self._turned: list[int] = []
        self._unreachable = unreachable
        self._shown: frozenset[str] = frozenset()

    @abstractmethod
    def published(self, now: int) -> frozenset[str]:
        """The `kid`s of the JWKS."""

    def jwks(self, now: int) -> frozenset[str] | None:
        """The `kid`s of the JWKS, as fetched; None: it can't be reached."""
        return None if within(self._unreachable, now) else self.published(now)

    def token(self, signed_at: int) -> Token | None:
        """What was signed at that time, now or before; None if nothing could be."""
        turn = bisect_right(self._turned, signed_at) - 1
        kid = self.turns[turn][1] if turn >= 0 else None
        return Token(kid, signed_at + self.clock + self.lifetime) if kid is not None else None

    def observe(self, signs: str | None) -> None:
        """Remembers what has changed by now."""
        now, shown = self.world.now, self.published(self.world.now)
        turned = not self.turns or self.turns[-1][1] != signs
        if turned:
            self.turns.append((now, signs))
            self._turned.append(now)
        if turned or shown != self._shown:
            self._shown = shown
            self.changes.append(now)


class Tenantry(Issuer):
    """Our own: the pure rotation of `keyvault`, woken as its scheduler is woken, with a key store that may be away.

    The clock of the node that rotates may be `behind` the world's, by so many milliseconds.
    """

    def __init__(
        self, world: World, policy: Policy, *, clock: int = 0, behind: int = 0, unreachable: Spans = (), store_away: Spans = ()
    ) -> None:
        super().__init__(world, max_age=policy.jwks_max_age, lifetime=policy.max_token_lifetime, clock=clock, unreachable=unreachable)
        self.history = History()
        self._behind = behind
        self._store_away = store_away
        self._wake_at = 0
        self._of: Ring | None = None
        self._until: int | None = None
        self._kids: frozenset[str] = frozenset()
        self.command(lambda ring, now: change_policy(ring, policy, now))

    def command(self, planning: Callable[[Ring, int], Plan]) -> None:
        """Does now what people ask for, and what it makes due."""
        self._carry_out(planning(self.history.ring, self.world.now - self._behind))
        self._settle()

    def published(self, now: int) -> frozenset[str]:
        ring = self.history.ring
        if self._of is not ring or (self._until is not None and now >= self._until):
            self._of, self._until = ring, ring.next_change(now)
            self._kids = frozenset(key.kid for key in ring.published(now))
        return self._kids

    def _settle(self) -> None:
        now = self.world.now - self._behind
        while True:
            before = self.history.ring
            self._carry_out(scheduled(before, before.policy, now))
            if self.history.ring is before:
                break
        active = self.history.ring.active
        self.observe(active.kid if active is not None else None)
        wake = next_due(self.history.ring, self.history.ring.policy, now)
        if wake is not None:
            self._wake_at = (max(wake, now + RETRY) if wake <= now else wake) + self._behind
            self.world.at(self._wake_at, self._wake)

    def _wake(self) -> None:
        if self.world.now == self._wake_at:  # else something was done meanwhile, which planned another
            self._settle()

    def _carry_out(self, plan: Plan) -> None:
        self.history.carry_out(plan, away=within(self._store_away, self.world.now))
        self.max_age = self.history.ring.policy.jwks_max_age


class Recipe(Issuer):
    """How others rotate: a key is published `ahead` of its first token, and the one before stays for `kept` after its last."""

    def __init__(self, world: World, *, period: int, ahead: int, kept: int, lifetime: int, max_age: int) -> None:
        super().__init__(world, max_age=max_age, lifetime=lifetime)
        self._period = period
        self._ahead = ahead
        self._kept = kept
        self._keys = {"1"}
        self._ordinal = 1
        self.observe("1")
        world.at(world.now + period - ahead, self._publish)

    def published(self, now: int) -> frozenset[str]:
        del now  # it changes by events only
        return frozenset(self._keys)

    def _publish(self) -> None:
        self._keys.add(str(self._ordinal + 1))
        self.observe(str(self._ordinal))
        self.world.at(self.world.now + self._ahead, self._sign)

    def _sign(self) -> None:
        self._ordinal += 1
        self.observe(str(self._ordinal))
        self.world.at(self.world.now + self._kept, partial(self._remove, str(self._ordinal - 1)))
        self.world.at(self.world.now + self._period - self._ahead, self._publish)

    def _remove(self, kid: str) -> None:
        self._keys.discard(kid)
        self.observe(str(self._ordinal))


def keycloak(world: World, policy: Policy, *, kept: int | None = None) -> Issuer:
    """Keycloak's recipe: a key with a higher priority signs at once; the old one, passive since, is removed when its tokens have expired.

    Server Administration Guide, "Rotating keys". Its JWKS is served with `no-cache` (keycloak#15216).
    """
    return Recipe(world, period=policy.rotation_period, ahead=0, kept=kept or _kept(policy), lifetime=policy.max_token_lifetime, max_age=0)


def announce(world: World, policy: Policy, *, ahead: int = DAY) -> Issuer:
    """A key is announced a day before it signs; all else is as by our policy."""
    lifetime, max_age = policy.max_token_lifetime, policy.jwks_max_age
    return Recipe(world, period=policy.rotation_period, ahead=ahead, kept=_kept(policy), lifetime=lifetime, max_age=max_age)


def _kept(policy: Policy) -> int:
    return policy.kept(policy.max_token_lifetime)
