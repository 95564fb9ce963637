"""Whether the relying parties have the standby key: who has fetched it, who surely has it, and from when on it is safe to let it sign."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Final, Self

from dashboards.console.times import age, utc, words
from keyvault.key import Key
from keyvault.policy import Policy
from keyvault.readiness import Readiness, readiness, safe_at
from keyvault.ring import Ring

_SHOWN: Final = 25


@dataclass(frozen=True, slots=True)
class PartyStands:
    """Where a relying party stands with the standby. Times are epoch milliseconds.

    Attributes:
        ready: whether it surely has the key.
        verdict: that in two or three words.
        fetched_at: when it was first seen to fetch the key.
        unseen: why that is not known, if it is not.
        sure_at: from when on it surely has the key; None: nobody knows.
        because: where that comes from.
    """

    id: str
    name: str
    contact: str | None
    ready: bool
    verdict: str
    fetched_at: int | None
    unseen: str
    sure_at: int | None
    because: str

    @classmethod
    def of(cls, one: Readiness, policy: Policy, now: int) -> Self:
        """Of one relying party."""
        party, ready = one.relying_party, one.ready(now)
        seen = one.fetched_at is not None
        return cls(
            id=party.id,
            name=party.name,
            contact=party.contact,
            ready=ready,
            verdict="surely has it" if ready else "nobody knows" if one.sure_at is None else "may have it" if seen else "may not have it",
            fetched_at=one.fetched_at,
            unseen="not yet" if party.own_url else "not known: it has no URL of its own",
            sure_at=one.sure_at,
            because=_because(one, policy),
        )


@dataclass(frozen=True, slots=True)
class StandbyReadiness:
    """The standby, and all relying parties.

    Attributes:
        name: what people call the key.
        says: the verdict, in paragraphs.
        parties: those that may not have it come first.
        more: how many are left out.
        counted: how many of all surely have it, in words; empty if there are none.
    """

    kid: str
    name: str
    safe: bool
    safe_at: int
    says: tuple[str, ...]
    parties: tuple[PartyStands, ...]
    more: int
    counted: str


def standby_readiness(ring: Ring, now: int) -> StandbyReadiness | None:
    """Of the ring's standby; None without one."""
    key = ring.standby
    if key is None:
        return None
    all_ = [PartyStands.of(one, ring.policy, now) for one in readiness(ring, ring.policy, key)]
    order = sorted(all_, key=lambda one: (one.ready, 0 if one.ready else -(one.sure_at or inf), one.id))
    ready, safe = sum(one.ready for one in all_), safe_at(ring, ring.policy, key)
    return StandbyReadiness(
        kid=key.kid,
        name=key_name(key),
        safe=safe <= now,
        safe_at=safe,
        says=tuple(_says(ring, key, all_, safe, now)),
        parties=tuple(order[:_SHOWN]),
        more=max(0, len(order) - _SHOWN),
        counted=f"{ready} of {len(all_)} surely {'has' if len(all_) == 1 else 'have'} it" if all_ else "",
    )


def key_name(key: Key) -> str:
    """What people call a key within a sentence."""
    return f"key {key.ordinal}" if key.ordinal else "the imported key"


def _says(ring: Ring, key: Key, parties: list[PartyStands], safe: int, now: int) -> Iterable[str]:
    policy = ring.policy
    since = f"It has been published since {utc(key.published_at)} ({age(key.published_at, now)})."
    if safe <= now:
        yield f"It can sign at any time without breaking a relying party. {since}"
    else:
        yield f"It is safe to let it sign from {utc(safe)} ({age(safe, now)}) on. {since}"
    if key.emergency:
        yield "It was made to take over after a compromise, so it does not wait for relying parties: that nobody has seen it is the point."
    elif late := sum(one.sure_at is None or one.sure_at > max(safe, now) for one in parties):
        left = policy.publish_ahead + policy.readiness_limit
        yield f"The policy waits for nobody for longer than {words(left)}: {late} of those below may not have it even then."
    if not parties and not key.emergency:
        yield f"No relying party is registered, so all are taken to fetch within {words(policy.publish_ahead)}."


def _because(one: Readiness, policy: Policy) -> str:
    party, rules = one.relying_party, one.relying_party.caching
    if rules is None:
        return f"Nobody has said how it keeps a JWKS, so the policy's {words(policy.publish_ahead)} count."
    shared = words(policy.jwks_max_age + policy.clock_skew)
    if rules.lifetime is not None and not rules.per_key:
        return f"It keeps a JWKS for {words(rules.lifetime)} at most, and caches before it for {shared}."
    if rules.refetches:
        return f"It fetches when a token names a key that it does not have; caches before it keep a JWKS for {shared}."
    told = "; that it fetched is seen at its own URL" if party.own_url else "; give it a URL of its own, and it is seen when it does"
    return f"It does not fetch again by itself{told}."
