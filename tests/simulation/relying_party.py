"""Simulated relying parties: the rules of `keyvault.caching.Caching`, carried out, and an HTTP cache that may stand in between."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import Enum

from keyvault.caching import Caching
from tests.simulation.issuer import Issuer, Token

Fetch = Callable[[int], frozenset[str] | None]
"""The `kid`s of a JWKS at a time (epoch milliseconds), or None if it can't be reached."""


class Verdict(Enum):
    ACCEPTED = "accepted"
    EXPIRED = "expired"
    """By the relying party's own clock."""
    REFUSED = "refused"
    """It could reach the JWKS, and did not have the key: the failed verification that a rotation must not cause."""
    UNREACHABLE = "unreachable"
    """It needed to fetch, and could not: refused, but not because of a rotation. See `RelyingParty.verify`."""


class HttpCache:
    """A shared HTTP cache (RFC 9111): serves its copy for `max-age`, by a clock that runs `late` milliseconds behind.

    It never serves anything older, since the JWKS allows no stale answers.
    """

    def __init__(self, issuer: Issuer, *, late: int = 0) -> None:
        self._issuer = issuer
        self._late = late
        self._copy: frozenset[str] | None = None
        self._until = 0

    def get(self, now: int) -> frozenset[str] | None:
        if self._copy is None or now >= self._until:
            self._copy = self._issuer.jwks(now)
            self._until = now + self._issuer.max_age + self._late if self._issuer.max_age else now
        return self._copy

    def renew(self, now: int) -> None:
        """Its copy happens to expire now, and somebody asks: the phase that an adversary would choose."""
        self._copy = None
        self.get(now)


class RelyingParty:
    """A client library at work.

    Args:
        caching: its rules.
        fetch: where it gets the JWKS from.
        clock: by how much its clock is ahead of the world's.
    """

    def __init__(self, caching: Caching, fetch: Fetch, *, clock: int = 0) -> None:
        self.clock = clock
        self._rules = caching
        self._fetch = fetch
        self.restart()

    def restart(self) -> None:
        """The process starts anew, with empty caches."""
        self._bucket = _Bucket(self._rules.burst, self._rules.cooldown)
        self._reached = True
        self._keys: frozenset[str] | None = None
        self._expires: int | None = None
        self._used = 0
        self._before: list[tuple[frozenset[str], int]] = []
        self._each: OrderedDict[str, int | None] = OrderedDict()

    def verify(self, token: Token, now: int) -> Verdict:
        """Whether it accepts the token.

        Whoever refuses because its last attempt to fetch failed is `UNREACHABLE`: its own rule empties its cache in an outage of the JWKS
        (or keeps it from asking again so soon), whether keys rotate or not.
        """
        if now + self.clock >= token.expires:
            return Verdict.EXPIRED
        verdict = self._one(token.kid, now) if self._rules.per_key else self._whole(token.kid, now)
        return Verdict.UNREACHABLE if verdict is Verdict.REFUSED and not self._reached else verdict

    def _one(self, kid: str, now: int) -> Verdict:
        """Keys one by one, the least recently used of them dropped."""
        if kid in self._each:
            until = self._each[kid]
            if until is None or now < until:
                self._each.move_to_end(kid)
                return Verdict.ACCEPTED
            del self._each[kid]
        if not self._bucket.take(now):
            return Verdict.REFUSED
        keys = self._ask(now)
        if keys is None or kid not in keys:
            return Verdict.REFUSED
        self._each[kid] = None if self._rules.lifetime is None else now + self._rules.lifetime
        if self._rules.most_keys is not None and len(self._each) > self._rules.most_keys:
            self._each.popitem(last=False)
        return Verdict.ACCEPTED

    def _whole(self, kid: str, now: int) -> Verdict:
        """The whole set at once."""
        rules = self._rules
        if self._keys is None or (self._expired(now) and not rules.background):
            self._bucket.take(now)
            if not self._renew(now) and (self._keys is None or not rules.keeps_stale):
                return Verdict.REFUSED
        verdict = self._judge(kid, now)
        if verdict is Verdict.REFUSED and rules.refetches and self._bucket.take(now):
            renewed = self._renew(now)
            return self._judge(kid, now) if renewed and not rules.background else verdict
        if self._expired(now) and rules.background:
            self._bucket.take(now)
            self._renew(now)
        return verdict

    def _judge(self, kid: str, now: int) -> Verdict:
        if self._keys is not None and kid in self._keys:
            self._used = now
            return Verdict.ACCEPTED
        known = any(kid in keys and now < until for keys, until in self._before)
        return Verdict.ACCEPTED if known else Verdict.REFUSED

    def _expired(self, now: int) -> bool:
        return self._expires is not None and now >= self._expires

    def _renew(self, now: int) -> bool:
        keys = self._ask(now)
        if keys is None:
            return False
        if self._rules.grace and self._keys is not None and self._keys != keys:
            self._before = [(old, until) for old, until in self._before if now < until]
            self._before.append((self._keys, self._used + self._rules.grace))
        self._keys = keys
        self._expires = None if self._rules.lifetime is None else now + self._rules.lifetime
        return True

    def _ask(self, now: int) -> frozenset[str] | None:
        keys = self._fetch(now)
        self._reached = keys is not None
        return keys


class _Bucket:
    """`burst` fetches at once, and one more per `cooldown`."""

    def __init__(self, burst: int, cooldown: int) -> None:
        self._burst = burst
        self._cooldown = cooldown
        self._left = burst
        self._since = 0

    def take(self, now: int) -> bool:
        if not self._cooldown:
            return True
        gained = (now - self._since) // self._cooldown
        if gained:
            self._left = min(self._burst, self._left + gained)
            self._since += gained * self._cooldown
        if not self._left:
            return False
        if self._left == self._burst:
            self._since = now
        self._left -= 1
        return True
