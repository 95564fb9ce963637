"""Rotation as pure questions: what a key ring needs now, and when it needs something next.

The scheduler, the API and the tests ask the same functions. All times are epoch milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from keyvault.algorithms import Algorithm
from keyvault.jwk import PublicJwk
from keyvault.key import Key, KeyState
from keyvault.policy import Policy
from keyvault.readiness import ready_from, safe_at
from keyvault.ring import Ring


@dataclass(frozen=True, slots=True)
class Prepare:
    """Create the key with this ordinal, and publish it.

    Attributes:
        emergency: it takes over after a compromise, so sooner.
        activate: it signs at once, since nothing else does.
        forced: why it signs at once although something else does, or None.
        replaces: the `kid` of the standby that is withdrawn for it, or None.
    """

    ordinal: int
    algorithm: Algorithm
    emergency: bool = False
    activate: bool = False
    forced: str | None = None
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class Activate:
    """Let the standby sign; the key that is active now, if any, is deactivated.

    Attributes:
        forced: why it signs before it is ready, or None.
    """

    kid: str
    forced: str | None = None


@dataclass(frozen=True, slots=True)
class Compromise:
    """Take the key out of the JWKS at once. Never due: somebody says so."""

    kid: str
    reason: str


@dataclass(frozen=True, slots=True)
class Destroy:
    """Destroy the key in the key store."""

    kid: str


@dataclass(frozen=True, slots=True)
class Import:
    """Publish a key that was made elsewhere. Never due, like `Adopt`: somebody says so.

    Attributes:
        publish_until: epoch milliseconds.
        private: its private half is about to be put into the key store.
    """

    jwk: PublicJwk
    publish_until: int
    private: bool = False


@dataclass(frozen=True, slots=True)
class Adopt:
    """Make an imported key the standby, now that the key store has its private half.

    Attributes:
        known_since: since when relying parties could have fetched it elsewhere (epoch milliseconds), or None.
        replaces: the `kid` of the standby that is withdrawn for it; None if there is none, or if this key signs in the same moment.
    """

    kid: str
    known_since: int | None = None
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class Discard:
    """Destroy what the key store may hold under a name that the ring can't use any more (`keyvault.leftover`)."""

    ordinal: int
    algorithm: Algorithm


Action = Prepare | Activate | Compromise | Destroy | Discard | Import | Adopt


def activates_at(ring: Ring, policy: Policy) -> int | None:
    """When the schedule activates the standby; None without one, or if it is `outdated`.

    A key of another algorithm than the active one's, one that takes over after a compromise, and one that was imported, do not wait for
    `rotation_period`. A wave's request ends that wait at its turn, and never prolongs it. All wait for the relying parties, see `safe_at`.
    """
    active, standby = ring.active, ring.standby
    if standby is None:
        return None
    if active is None or active.activated_at is None:
        return standby.published_at
    if outdated(ring, policy):
        return None
    ready = safe_at(ring, policy, standby)
    if standby.emergency or standby.imported or standby.algorithm is not active.algorithm:
        return ready
    turn = active.activated_at + policy.rotation_period
    return max(ready, turn if ring.requested is None else min(turn, ring.requested.due_at))


def outdated(ring: Ring, policy: Policy) -> bool:
    """Whether the schedule replaces the standby, instead of activating it, as the policy has another algorithm by now."""
    return ring.active is not None and ring.standby is not None and ring.standby.algorithm is not policy.algorithm


def stalls_at(ring: Ring, policy: Policy) -> int | None:
    """From when on the ring is late although nothing may be due, since it has no standby that could take over; None if it has one.

    That is the end of `rotation_period`; where a policy has too little room for that, as its warnings say, it is when the key that signed
    before should have left. After a compromise it is at once. A ring that can't sign is none of these: what it needs is due.
    """
    active = ring.active
    if active is None or active.activated_at is None or activates_at(ring, policy) is not None:
        return None
    wait = max(policy.rotation_period, policy.kept(policy.max_token_lifetime))
    return active.activated_at + (0 if ring.takeover_from is not None else wait)


def soonest(ring: Ring, policy: Policy, now: int) -> int:
    """From when on the ring could rotate, were it asked to, without breaking anyone; an estimate where there is no standby."""
    if ring.active is None:
        return now
    if ring.standby is not None:
        return max(now, safe_at(ring, policy, ring.standby))
    free = now if room(ring, policy, now) > 0 else ring.next_change(now)
    return ready_from(ring, policy, now if free is None else free)


def room(ring: Ring, policy: Policy, now: int) -> int:
    """How many more keys may be published; negative after the limit was lowered."""
    return policy.max_published_keys - len(ring.published(now))


def freed(standby: Key | None, now: int) -> int:
    """How much room it makes to withdraw this standby: none if tokens that were signed with it elsewhere are still valid."""
    return int(standby is not None and standby.foreign_until <= now)


def due(ring: Ring, policy: Policy, now: int) -> list[Action]:
    """What the ring needs now, in order.

    Once it is done, the same question has an empty answer. Only a standby that was replaced is destroyed one answer later, when nothing
    can activate it any more.

    - No active key (a new ring, or a compromise while the key store was away): the standby signs, or else a new key.
    - A standby of another algorithm than the policy's is replaced; it never signed here, so nobody misses it. One with valid tokens from
      elsewhere stays published, so its successor waits for room.
    - A standby whose time has come is activated.
    - Without a standby, one is prepared, as soon as there is room for it under `max_published_keys`.
    - A deactivated key is destroyed when its last token has expired, if the key store has it.
    - What an attempt that came to nothing may have left in the key store is destroyed when all such attempts have ended.
    """
    actions: list[Action] = []
    standby, ordinal, takeover_from = ring.standby, ring.next_ordinal, ring.takeover_from
    space = room(ring, policy, now)
    if ring.active is None and standby is None:
        # Tokens can't be signed at all, so this key does not wait for room.
        actions.append(Prepare(ordinal, policy.algorithm, activate=True))
        ordinal, takeover_from, space = ordinal + 1, None, space - 1
    elif standby is not None and outdated(ring, policy):
        if freed(standby, now) or space > 0:
            actions.append(Prepare(ordinal, policy.algorithm, emergency=takeover_from is not None, replaces=standby.kid))
    elif standby is not None and (when := activates_at(ring, policy)) is not None and (ring.active is None or when <= now):
        actions.append(Activate(standby.kid))
        takeover_from = None if takeover_from is not None and standby.ordinal >= takeover_from else takeover_from
        standby = None
    if standby is None and space > 0:
        actions.append(Prepare(ordinal, policy.algorithm, emergency=takeover_from is not None))
    actions.extend(Destroy(key.kid) for key in ring.keys if key.state is KeyState.DEACTIVATED and key.stored and not key.published(now))
    actions.extend(Discard(left.ordinal, left.algorithm) for left in ring.leftovers if left.due_at(policy.clock_skew) <= now)
    return actions


def next_due(ring: Ring, policy: Policy, now: int) -> int | None:
    """When something is due next: `now` if something is, None if nothing will ever be. So a scheduler knows when to wake."""
    if due(ring, policy, now):
        return now
    times = {key.publish_until for key in ring.keys if key.state is KeyState.DEACTIVATED and key.published(now)}
    times |= {activates_at(ring, policy), *(left.due_at(policy.clock_skew) for left in ring.leftovers)}
    times |= {ring.standby.foreign_until} if ring.standby is not None else set()
    # A key that only leaves the JWKS makes something due only if somebody waits for its room.
    return next((time for time in sorted(time for time in times if time is not None) if due(ring, policy, time)), None)
