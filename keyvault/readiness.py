"""Readiness: whether the relying parties have the next key, so that it may sign without breaking one of them. Pure, like `due`."""

from __future__ import annotations

from dataclasses import dataclass

from keyvault.caching import sure_after
from keyvault.key import Key
from keyvault.policy import Policy
from keyvault.relying_party import RelyingParty
from keyvault.ring import Ring


@dataclass(frozen=True, slots=True)
class Readiness:
    """Where a relying party stands with a key. Times are epoch milliseconds.

    Attributes:
        relying_party: which one.
        fetched_at: when the URL of its own first answered it this key; None: not yet, or it has no such URL. It may have more than one
            process, each with a cache of its own, so this alone makes nothing sure.
        sure_at: from when on all of them surely have the key, or fetch it when a token needs it; None: nobody knows.
    """

    relying_party: RelyingParty
    fetched_at: int | None
    sure_at: int | None

    def ready(self, now: int) -> bool:
        """Whether it surely has the key at `now`."""
        return self.sure_at is not None and self.sure_at <= now


def readiness(ring: Ring, policy: Policy, key: Key) -> tuple[Readiness, ...]:
    """Where each of the ring's relying parties stands with this key, by their ids."""
    fetched = {fetch.relying_party: fetch.at for fetch in ring.fetches if fetch.kid == key.kid}
    return tuple(_of(ring, party, policy, key, fetched.get(party.id)) for party in ring.relying_parties)


def ready_at(ring: Ring, policy: Policy, key: Key) -> int:
    """From when on the standby has been published for long enough, whoever the relying parties are: see `ready_from`.

    An imported key may have been known elsewhere before.
    An emergency key waits only until no JWKS without it can be cached by the rules (`jwks_max_age` plus `clock_skew`).
    """
    since = key.published_at if key.known_since is None else min(key.known_since, key.published_at)
    return ring.max_ages.lacked_until(since, policy, key.kid) if key.emergency else ready_from(ring, policy, since, key.kid)


def ready_from(ring: Ring, policy: Policy, published_at: int, kid: str | None = None) -> int:
    """From when on this key, or a new one, has been published for long enough since then: for `publish_ahead`.

    If the policy has changed, caches may hold a JWKS without the key for longer than it says now (see `MaxAges`). Who fetches from one at
    its last moment keeps that for a while itself: for less than the `margin` of then, or of now, as whoever set the policies said.
    """
    lacked_until, margin = ring.max_ages.lacked_until(published_at, policy, kid), ring.max_ages.margin(published_at, policy)
    return max(published_at + policy.publish_ahead, lacked_until + min(margin, policy.margin))


def safe_at(ring: Ring, policy: Policy, key: Key) -> int:
    """From when on the standby may sign without breaking a relying party, as far as one can wait for them.

    Those that keep a JWKS for longer than `publish_ahead` are waited for, but never longer than `readiness_limit`, and in an emergency not
    at all: then the key that takes over must be new to everybody.
    """
    ready = ready_at(ring, policy, key)
    if key.emergency:
        return ready
    limit = ready_from(ring, policy, key.published_at, key.kid) + policy.readiness_limit  # those that are registered fetch it here
    return max([ready, *(limit if one.sure_at is None else min(one.sure_at, limit) for one in readiness(ring, policy, key))])


def late(ring: Ring, policy: Policy, key: Key, now: int) -> tuple[Readiness, ...]:
    """The relying parties that may not have the key at `now`."""
    return tuple(one for one in readiness(ring, policy, key) if not one.ready(now))


def _of(ring: Ring, party: RelyingParty, policy: Policy, key: Key, fetched_at: int | None) -> Readiness:
    caching = party.caching
    if caching is None:  # it said nothing: what the policy assumes of everybody
        return Readiness(party, fetched_at, ready_from(ring, policy, key.published_at, key.kid))
    wait = sure_after(caching, policy)
    if wait is None:  # it never fetches again by itself: it has the key when it was seen to fetch it, and else nobody knows
        return Readiness(party, fetched_at, fetched_at)
    return Readiness(party, fetched_at, ring.max_ages.lacked_until(key.published_at, policy, key.kid) + wait - policy.cached)
