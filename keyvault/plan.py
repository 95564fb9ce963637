"""A plan: what is to be done to a key ring, and the events that tell so once it is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from keyvault.due import Action, Activate, Adopt, Compromise, Destroy, Discard, Import, Prepare
from keyvault.events import (
    KeyActivated,
    KeyAdopted,
    KeyCompromised,
    KeyDeactivated,
    KeyDestroyed,
    KeyDiscarded,
    KeyEvent,
    KeyImported,
    KeyPrepared,
    PolicyChanged,
)
from keyvault.jwk import PublicJwk
from keyvault.key import Key, KeyState
from keyvault.policy import Policy
from keyvault.ring import Ring


class Outcome(StrEnum):
    """What a command comes to."""

    UNCHANGED = "unchanged"
    """Nothing to do: it is so already, or somebody else has just done it."""
    WAITING = "waiting"
    """There is a standby, which is not ready yet."""
    CREATED = "created"
    """A standby was created and published (or a first key and a standby)."""
    ACTIVATED = "activated"
    """Another key signs now."""
    IMPORTED = "imported"
    """Keys that were made elsewhere are published."""
    COMPROMISED = "compromised"
    """The key has left the JWKS."""
    DESTROYED = "destroyed"
    """The key has left the key store."""
    POLICY_CHANGED = "policy_changed"
    """Another policy holds."""
    SCHEDULED = "scheduled"
    """What was due was done."""
    PENDING = "pending"
    """It takes a second person, who has not approved yet: nothing was done."""
    WITHDRAWN = "withdrawn"
    """An approval can't be given any more."""


@dataclass(frozen=True, slots=True)
class Created:
    """A key that the store made, or had: the ordinal under which it did, and its public half."""

    ordinal: int
    jwk: PublicJwk


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done. Pure: `Keeper` carries it out, and the caller appends the events.

    Attributes:
        at: the time of all its events, epoch milliseconds; or later, when the key store has done its part.
        policy: by which it was made, or which it sets.
        actions: in order.
        outcome: what it comes to, if all goes well.
        kid: whom it is about; None when the key does not exist yet.
        warning: whom it may break, in words for people, or None.
        first: what is recorded before anything is done, whatever becomes of the actions.
        approval: the id of the approval that it is about, or None.
        best_effort: what the key store can't do now is left to the next `due` (the rest still happens), instead of failing it all.
    """

    at: int
    policy: Policy
    outcome: Outcome
    actions: tuple[Action, ...] = ()
    kid: str | None = None
    warning: str | None = None
    first: tuple[KeyEvent, ...] = ()
    approval: str | None = None
    best_effort: bool = False

    @property
    def creations(self) -> tuple[Prepare, ...]:
        """The keys that the store must create first."""
        return tuple(action for action in self.actions if isinstance(action, Prepare))

    @property
    def destructions(self) -> tuple[Destroy | Discard, ...]:
        """The keys that the store must destroy first."""
        return tuple(action for action in self.actions if isinstance(action, Destroy | Discard))

    def events(
        self, ring: Ring, created: Mapping[Prepare, Created], destroyed: frozenset[Destroy | Discard] = frozenset()
    ) -> tuple[KeyEvent, ...]:
        """What to append, atomically, if the log's ring still is `ring`.

        Args:
            ring: from which the plan was made.
            created: the keys that now exist in the store; creations that are not in it did not happen.
            destroyed: the destructions that happened.
        """
        events: list[KeyEvent] = list(self.first)
        for event in self.first:
            ring = ring.apply(event)
        if self.outcome is Outcome.POLICY_CHANGED:
            events.append(PolicyChanged(at=self.at, policy=self.policy))
        for action in self.actions:
            for event in self._record(ring, action, created, destroyed):
                ring = ring.apply(event)
                events.append(event)
        return tuple(events)

    def _record(
        self, ring: Ring, action: Action, created: Mapping[Prepare, Created], destroyed: frozenset[Destroy | Discard]
    ) -> Iterator[KeyEvent]:
        match action:
            case Prepare():
                if (key := created.get(action)) is None:
                    return
                if action.replaces is not None:
                    yield self._deactivate(ring.find(action.replaces))
                yield KeyPrepared(
                    at=self.at,
                    kid=key.jwk.kid,
                    ordinal=key.ordinal,
                    algorithm=action.algorithm,
                    jwk=key.jwk,
                    emergency=action.emergency,
                )
                if action.activate:
                    yield from self._activate(ring, key.jwk.kid, action.forced)
            case Activate(kid, forced):
                yield from self._activate(ring, kid, forced)
            case Compromise(kid, reason):
                yield KeyCompromised(at=self.at, kid=kid, reason=reason)
            case Import(jwk, until, private):
                yield KeyImported(at=self.at, kid=jwk.kid, algorithm=jwk.alg, jwk=jwk, publish_until=until, private=private)
            case Adopt(kid, known_since, replaces):
                if replaces is not None:
                    yield self._deactivate(ring.find(replaces))
                yield KeyAdopted(at=self.at, kid=kid, known_since=known_since)
            case Destroy(kid):
                if action in destroyed:
                    yield KeyDestroyed(at=self.at, kid=kid)
            case Discard(ordinal, algorithm):
                if action in destroyed:
                    yield KeyDiscarded(at=self.at, ordinal=ordinal, algorithm=algorithm)

    def _activate(self, ring: Ring, kid: str, forced: str | None) -> Iterator[KeyEvent]:
        if ring.active is not None:
            yield self._deactivate(ring.active)
        asked = ring.requested if self.outcome is Outcome.SCHEDULED else None
        wave = asked.wave if asked is not None and asked.due_at <= self.at else None
        yield KeyActivated(at=self.at, kid=kid, token_lifetime=self.policy.max_token_lifetime, forced=forced, wave=wave)

    def _deactivate(self, key: Key) -> KeyDeactivated:
        """Its tokens live for the longest lifetime allowed while it was active, and those from elsewhere for as long as its import said.

        A standby that was made here has none, so it leaves at once.
        """
        kept = self.policy.kept(key.token_lifetime) if key.state is KeyState.ACTIVE else 0
        return KeyDeactivated(at=self.at, kid=key.kid, publish_until=max(self.at + kept, key.foreign_until))
