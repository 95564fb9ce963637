"""For how long a JWKS may be cached: `jwks_max_age`, less just before a change that is planned, and hardly at all while it is empty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keyvault.due import activates_at
from keyvault.durations import SECOND
from keyvault.policy import Policy
from keyvault.ring import Ring

_LEAST_PART: Final = 10
"""It is never shortened to less than this part: everybody comes that much more often."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """What a JWKS is served with. Times are epoch milliseconds.

    Attributes:
        max_age: milliseconds.
        until: when to ask again, because another answer begins then; None if nothing is planned.
    """

    max_age: int
    until: int | None


def freshness(ring: Ring, policy: Policy, now: int) -> Freshness:
    """For how long the ring's JWKS may be cached from `now` on.

    Before a standby signs, and before a key leaves, caches shall end at that moment, so that everybody then has what is right: the
    max-age counts down to it, to a tenth of `jwks_max_age` (or a second) at the least. An empty JWKS, after a compromise while the key
    store was away, is kept for a second: the key that ends that must not be waited for.
    """
    if not ring.published(now):
        return Freshness(SECOND, None)
    planned = [time for time in (activates_at(ring, policy), ring.next_change(now)) if time is not None and time > now]
    if not planned:
        return Freshness(policy.jwks_max_age, None)
    change = min(planned)
    left = change - now
    if left >= policy.jwks_max_age:
        return Freshness(policy.jwks_max_age, change - policy.jwks_max_age + 1)
    least = min(policy.jwks_max_age, max(SECOND, policy.jwks_max_age // _LEAST_PART))
    return Freshness(max(left, least), min(change, now + SECOND))
