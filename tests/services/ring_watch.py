"""Somebody who reads a tenant's key events as they come, and holds each of them, and every JWKS, to what was promised."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import msgspec

from keyvault import base64url
from keyvault.events import KeyActivated, KeyCompromised, KeyDeactivated, KeyEvent, KeyPrepared
from keyvault.key import KeyState
from keyvault.readiness import safe_at
from keyvault.ring import Ring
from services.keys.rings import key_event
from streams.control_log import ControlEvent
from streams.event_log import CONTROL, EventLog
from streams.scope import TenantScope


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token: times in epoch milliseconds, `signed_at` by the clock of the node."""

    kid: str
    signed_at: int
    expires_at: int

    @classmethod
    def read(cls, compact: str, signed_at: int) -> Self:
        header, payload, _ = (part for part in compact.split("."))
        kid, exp = json.loads(base64url.decode(header))["kid"], json.loads(base64url.decode(payload))["exp"]
        return cls(kid, signed_at, exp * 1000)


class RingWatch:
    """The events, the ring that they make, and the tokens that were signed."""

    def __init__(self, log: EventLog, scope: TenantScope) -> None:
        self.ring = Ring.empty()
        self.events: list[KeyEvent] = []
        self.tokens: list[Token] = []
        self._log = log
        self._scope = scope
        self._place = 0

    async def look(self, *, store_failed: bool, clock_is_wrong: bool) -> None:
        """Reads what was appended, at once, since it was called last.

        Args:
            store_failed: whether the key store failed him who appended it.
            clock_is_wrong: whether his clock is behind by more than `clock_skew`.
        """
        records = await self._log.read(CONTROL, key=self._scope.tenant, start=self._place)
        if not records:
            return
        self._place = records[-1].offset + 1
        found = [key_event(msgspec.json.decode(record.value, type=ControlEvent)) for record in records]
        events = [event for event in found if event is not None]
        before = self.ring
        for event in events:
            assert event.at >= self.ring.changed_at
            self._check(event, before)
            self.ring = self.ring.apply(event)
            if isinstance(event, KeyDeactivated):
                self._ends(event, before.policy.clock_skew, clock_is_wrong=clock_is_wrong)
        self.events += events
        self._check_numbers(events, before, store_failed=store_failed)

    def signed(self, compact: str, signed_at: int) -> None:
        """A token was given out."""
        self.tokens.append(Token.read(compact, signed_at))

    def check_jwks(self, ring: Ring, clock: int, now: int) -> None:
        """Holds the JWKS of a node to what was promised.

        Args:
            ring: the node's.
            clock: the node's.
            now: who verifies has the slowest clock of all: this one.
        """
        assert ring == self.ring, "all nodes fold the same"
        jwks = ring.jwks(clock)
        for key in ring.keys:
            if key.compromised_at is not None or key.destroyed_at is not None:
                assert jwks.find(key.kid) is None
        self.tokens = [token for token in self.tokens if now < token.expires_at and ring.find(token.kid).compromised_at is None]
        for token in self.tokens:
            assert jwks.find(token.kid) is not None, "a token that is valid does not verify"
        assert jwks.keys or ring.active is None

    def _check(self, event: KeyEvent, before: Ring) -> None:
        if isinstance(event, KeyActivated) and event.forced is None and before.active is not None:
            assert event.at >= safe_at(self.ring, before.policy, self.ring.find(event.kid))
        if isinstance(event, KeyPrepared):
            assert all(key.ordinal != event.ordinal and key.kid != event.kid for key in self.ring.keys)

    def _ends(self, event: KeyDeactivated, skew: int, *, clock_is_wrong: bool) -> None:
        """Nobody promised anything about what was signed when the turn had ended by more than `clock_skew`; and only then is there any."""
        late = [token for token in self.tokens if token.kid == event.kid and token.signed_at > event.at + skew]
        assert not late or clock_is_wrong
        self.tokens = [token for token in self.tokens if token not in late]

    def _check_numbers(self, events: Iterable[KeyEvent], before: Ring, *, store_failed: bool) -> None:
        states = [key.state for key in self.ring.keys]
        assert states.count(KeyState.PRE_ACTIVATION) <= 1
        active = states.count(KeyState.ACTIVE)
        if before.active is not None and not active:
            assert store_failed
            assert before.standby is None
            assert any(isinstance(event, KeyCompromised) and event.kid == before.active.kid for event in events)
        assert active == 1 or (active == 0 and (before.active is None or store_failed))
        for event in events:
            if isinstance(event, KeyPrepared) and before.active is not None:
                published = len(before.published(event.at))
                assert len(self.ring.published(event.at)) <= max(before.policy.max_published_keys, published)
