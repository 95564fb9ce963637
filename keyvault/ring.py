"""The key ring of a tenant: a fold of its key events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, Self, assert_never

from keyvault import imported_keys
from keyvault.approval import Approval, ApprovalState
from keyvault.approvals import Approvals
from keyvault.errors import BrokenHistory, UnknownKid
from keyvault.events import (
    ApprovalGiven,
    ApprovalRequested,
    ApprovalWithdrawn,
    JwksFetched,
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
    RelyingPartyRegistered,
    RelyingPartyRemoved,
)
from keyvault.jwks import Jwks
from keyvault.key import Key, KeyState
from keyvault.leftover import Leftover, Tried, changed, lost
from keyvault.max_ages import MaxAges
from keyvault.policy import Policy
from keyvault.relying_party import RelyingParty
from keyvault.wave import Request


@dataclass(frozen=True, slots=True)
class Ring:
    """The keys of a tenant after some events. Immutable.

    Once a key was active, exactly one is, except between a compromise and the moment when the key store, away just then, has made
    a successor. Only then can the JWKS be empty: nothing else is published, and nothing is signed either (`NoActiveKey`).

    Attributes:
        keys: all there ever were, by ordinal: so imported ones come first.
        policy: the last one set, or the default.
        max_ages: for how long the JWKS could be cached by the policies before.
        changed_at: the time of the last event, epoch milliseconds; 0 before the first.
        takeover_from: after the compromise of an active key, the least ordinal of the keys that were not published before it. Set
            until such a key is active: only its unknown `kid` makes clients that never expire their cache drop the bad key.
        relying_parties: for whom it is published, by id, as far as they are registered.
        fetches: which of them were seen to fetch the standby, and when, in epoch milliseconds.
        tried: by which other algorithms attempts may have created keys with ordinals that are still to come.
        leftovers: the names of keys in the store that such attempts may have left, and that no key of the ring can get any more.
        approvals: what was asked for and takes a second person.
        requested: what a wave asks of it, until a key becomes active. No key event tells of it: the wave does, once for all its rings.
    """

    keys: tuple[Key, ...] = ()
    policy: Policy = Policy()  # noqa: RUF009 (a frozen value)
    max_ages: MaxAges = MaxAges()  # noqa: RUF009 (a frozen value)
    changed_at: int = 0
    takeover_from: int | None = None
    relying_parties: tuple[RelyingParty, ...] = ()
    fetches: tuple[JwksFetched, ...] = ()
    tried: tuple[Tried, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    approvals: Approvals = Approvals()  # noqa: RUF009 (a frozen value)
    requested: Request | None = None

    @classmethod
    def empty(cls) -> Self:
        """The ring of a tenant without key events."""
        return cls()

    @classmethod
    def fold(cls, events: Iterable[KeyEvent]) -> Self:
        """The ring after these events, in their order.

        Raises:
            BrokenHistory: one of them can't follow those before it.
        """
        ring = cls.empty()
        for event in events:
            ring = ring.apply(event)
        return ring

    @classmethod
    def at(cls, events: Iterable[KeyEvent], time: int) -> Self:
        """The ring as it was at `time` (epoch milliseconds): `Ring.at(events, t).jwks(t)` is the JWKS that was published then."""
        return cls.fold(takewhile(lambda event: event.at <= time, events))

    @property
    def active(self) -> Key | None:
        """The key that signs, if any."""
        return self._only(KeyState.ACTIVE)

    @property
    def standby(self) -> Key | None:
        """The key that signs next: published already, if there is one."""
        return self._only(KeyState.PRE_ACTIVATION)

    @property
    def next_ordinal(self) -> int:
        """The number of the next key; the first has 1."""
        return self.keys[-1].ordinal + 1 if self.keys else 1

    def published(self, now: int) -> tuple[Key, ...]:
        """The keys of the JWKS at `now`: the active one first, then the newest first.

        For a time before the last event, take `Ring.at`. A clock that is somewhat behind the log does no harm: keys stay longer.
        """
        shown = [key for key in self.keys if key.published(now)]
        return tuple(sorted(shown, key=lambda key: (key.state is not KeyState.ACTIVE, -key.ordinal)))

    def jwks(self, now: int) -> Jwks:
        """The JWKS at `now`. It stays the same until the next event or `next_change(now)`, so keep it."""
        return Jwks.of(key.jwk for key in self.published(now))

    def next_change(self, now: int) -> int | None:
        """When a key leaves the JWKS next without any event (epoch milliseconds), or None."""
        leaving = (key.publish_until for key in self.keys if key.state is KeyState.DEACTIVATED and key.published(now))
        return min((time for time in leaving if time is not None), default=None)

    def find(self, kid: str) -> Key:
        """The key with this `kid`.

        Raises:
            UnknownKid: there is none.
        """
        for key in self.keys:
            if key.kid == kid:
                return key
        raise UnknownKid(kid)

    def ask(self, request: Request) -> Self:
        """The ring with a wave's request; the same ring if a key became active after the wave began, in whatever order one hears of it."""
        answered = any(key.activated_at is not None and key.activated_at > request.at for key in self.keys)
        return self if answered else replace(self, requested=request)

    def release(self, wave: str) -> Self:
        """The ring without this wave's request."""
        return self if self.requested is None or self.requested.wave != wave else replace(self, requested=None)

    def apply(self, event: KeyEvent) -> Self:
        """The ring after one more event.

        Raises:
            BrokenHistory: the event can't follow the ones before it.
        """
        return replace(self._after(event), changed_at=max(self.changed_at, event.at))

    def _after(self, event: KeyEvent) -> Self:
        match event:
            case KeyPrepared():
                return self._prepare(event)
            case KeyActivated():
                return self._activate(event)
            case KeyDeactivated():
                key = self._key(event, {KeyState.ACTIVE, KeyState.PRE_ACTIVATION})
                return self._with(key, state=KeyState.DEACTIVATED, deactivated_at=event.at, publish_until=event.publish_until)
            case KeyCompromised():
                key = self._key(event, {KeyState.PRE_ACTIVATION, KeyState.ACTIVE, KeyState.DEACTIVATED})
                ring = self._with(key, state=KeyState.COMPROMISED, compromised_at=event.at, compromise_reason=event.reason)
                return replace(ring, takeover_from=self.next_ordinal) if key.state is KeyState.ACTIVE else ring
            case KeyDestroyed():
                key = self._key(event, {KeyState.DEACTIVATED, KeyState.COMPROMISED})
                return self._with(key, state=KeyState.DESTROYED, destroyed_at=event.at)
            case KeyImported() | KeyAdopted():
                return replace(self, keys=imported_keys.after(self.keys, event))
            case KeyDiscarded(ordinal=ordinal, algorithm=algorithm):
                left = (one for one in self.leftovers if (one.ordinal, one.algorithm) != (ordinal, algorithm))
                return replace(self, leftovers=tuple(left))
            case PolicyChanged():
                ages = self.max_ages.changed(self.policy, event.policy, event.at, self.keys)
                ring = replace(self, policy=event.policy, max_ages=ages, approvals=self.approvals.policy_changed(event.at))
                if event.policy.algorithm is not self.policy.algorithm:
                    alone = self.active is None and self.standby is None
                    ring = replace(ring, tried=changed(self.tried, self.policy.algorithm, self.next_ordinal, alone=alone))
                if (active := self.active) is None:
                    return ring
                return ring._with(active, token_lifetime=max(active.token_lifetime, event.policy.max_token_lifetime))  # noqa: SLF001 (its own)
            case RelyingPartyRegistered(relying_party=party):
                others = [other for other in self.relying_parties if other.id != party.id]
                return replace(self, relying_parties=tuple(sorted((*others, party), key=lambda one: one.id)))
            case RelyingPartyRemoved(id=name):
                parties = tuple(party for party in self.relying_parties if party.id != name)
                return replace(self, relying_parties=parties, fetches=tuple(one for one in self.fetches if one.relying_party != name))
            case JwksFetched():
                return replace(self, fetches=(*self.fetches, event))
            case ApprovalRequested():
                return replace(self, approvals=self.approvals.ask(Approval(event.id, event.order, event.asked_by, event.at, event.until)))
            case ApprovalGiven():
                return replace(self, approvals=self.approvals.close(event.id, ApprovalState.GIVEN, event.at, event.given_by))
            case ApprovalWithdrawn(withdrawn_by=by, reason=why):
                return replace(self, approvals=self.approvals.close(event.id, ApprovalState.WITHDRAWN, event.at, by, why))
            case _:
                assert_never(event)

    def _prepare(self, event: KeyPrepared) -> Self:
        if event.ordinal < self.next_ordinal or any(key.kid == event.kid for key in self.keys):
            raise BrokenHistory(f"key {event.kid!r} (ordinal {event.ordinal}) was prepared before")
        if self.standby is not None:
            raise BrokenHistory(f"key {event.kid!r} can't be prepared beside the standby {self.standby.kid!r}")
        key = Key(
            kid=event.kid,
            ordinal=event.ordinal,
            algorithm=event.algorithm,
            jwk=event.jwk,
            state=KeyState.PRE_ACTIVATION,
            published_at=event.at,
            emergency=event.emergency,
        )
        left = lost(self.tried, self.next_ordinal, event.ordinal, event.algorithm, event.at)
        return replace(
            self,
            keys=(*self.keys, key),
            fetches=(),  # what was fetched is asked of the standby only
            tried=tuple(one for one in self.tried if one.reach > event.ordinal),
            leftovers=(*self.leftovers, *left),
        )

    def _activate(self, event: KeyActivated) -> Self:
        if self.active is not None:
            raise BrokenHistory(f"key {event.kid!r} can't become active while key {self.active.kid!r} is")
        key = self._key(event, {KeyState.PRE_ACTIVATION})
        ring = self._with(key, state=KeyState.ACTIVE, activated_at=event.at, forced=event.forced, token_lifetime=event.token_lifetime)
        if self.requested is not None and event.at > self.requested.at:
            ring = replace(ring, requested=None)
        taken_over = self.takeover_from is not None and key.ordinal >= self.takeover_from
        return replace(ring, takeover_from=None) if taken_over else ring

    def _only(self, state: KeyState) -> Key | None:
        return next((key for key in reversed(self.keys) if key.state is state), None)

    def _key(self, event: KeyActivated | KeyDeactivated | KeyCompromised | KeyDestroyed, states: set[KeyState]) -> Key:
        try:
            key = self.find(event.kid)
        except UnknownKid as error:
            raise BrokenHistory(f"a key event is about {event.kid!r}, which was never prepared") from error
        if key.state not in states:
            raise BrokenHistory(f"key {event.kid!r} is {key.state}, which {type(event).__name__} can't follow")
        return key

    def _with(self, key: Key, **changes: Any) -> Self:
        return replace(self, keys=tuple(replace(other, **changes) if other.kid == key.kid else other for other in self.keys))
