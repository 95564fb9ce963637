"""The blast radius of a key: what it has signed, and who may accept its tokens for how long once it is known to be bad.

A pure question, asked before a compromise is reported as well as after. All times are epoch milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from keyvault.caching import Caching, exposed_for
from keyvault.durations import render_duration
from keyvault.key import Key, KeyState
from keyvault.policy import Policy
from keyvault.readiness import ready_at
from keyvault.relying_party import RelyingParty
from keyvault.ring import Ring
from keyvault.survival import check
from keyvault.usage import Usage


class Accepts(StrEnum):
    """Whether a relying party may still accept tokens of the key."""

    UNTIL = "until"
    """Up to a time that is known."""
    UNTIL_RESTARTED = "until_restarted"
    """For ever, as far as it goes by itself."""
    UNKNOWN = "unknown"
    """Nobody knows: it was registered without saying how it keeps a JWKS."""
    NO_MORE = "no_more"
    """The time is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One relying party.

    Attributes:
        relying_party: which one.
        accepts: whether it may still accept tokens of the key, whoever signed them.
        until: up to when, if that is known.
        because: why, by how it keeps a JWKS.
        refuses_for: for how long it may refuse good tokens of the key that takes over (ms), from then on; None: until it is restarted, or
            nobody knows.
        refuses: the same in words; empty if no key takes over.
        advice: what to do now, and then what to change, best first.
    """

    relying_party: RelyingParty
    accepts: Accepts
    until: int | None
    because: str
    refuses_for: int | None
    refuses: str
    advice: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlastRadius:
    """Who is affected by a key that is bad, or would be if it were reported now.

    Attributes:
        key: the key.
        left_at: when it left the JWKS; now, if it would by a report.
        takes_over_at: when a key signs whose `kid` nobody knows, which makes the clients fetch that would keep the bad key for ever; None:
            none does, since this one did not sign.
        latest_expiry: no token that was signed here expires later, by the policy. What a thief signs lives for as long as he likes: only
            the relying parties' caches end that.
        usage: what was counted of it; None: not known now. It can be too little, never too much.
        exposures: the registered relying parties, by their ids.
    """

    key: Key
    left_at: int
    takes_over_at: int | None
    latest_expiry: int | None
    usage: Usage | None
    exposures: tuple[Exposure, ...]

    @property
    def accepted_until(self) -> int | None:
        """When the last of the registered relying parties refuses the key's tokens; None: of some of them that is not known."""
        if any(one.until is None for one in self.exposures):
            return None
        return max((one.until for one in self.exposures if one.until is not None), default=self.left_at)


def blast_radius(ring: Ring, kid: str, usage: Usage | None, now: int) -> BlastRadius:
    """Who is affected by this key: reported as compromised, or as if it were reported now.

    The bounds hold where the rules of `keyvault.caching` hold, tokens of the key that takes over come in, and the JWKS can be fetched.
    `tests/simulation` measures them. Relying parties that are not registered are not in it.

    Args:
        ring: the current one.
        kid: of the key.
        usage: what was counted of the key, if that is known.
        now: epoch milliseconds.

    Raises:
        UnknownKid: the ring has no such key.
    """
    key, policy = ring.find(kid), ring.policy
    now = max(now, ring.changed_at)  # a clock that is behind the log must not take what has happened for what will
    left_at = _left_at(key, now)
    takes_over_at = _takes_over_at(ring, key, left_at, now)
    held = ring.max_ages.cached_until(left_at, policy) - left_at
    return BlastRadius(
        key=key,
        left_at=left_at,
        takes_over_at=takes_over_at,
        latest_expiry=_latest_expiry(key, policy, now),
        usage=usage,
        exposures=tuple(_exposure(party, policy, left_at, held, takes_over_at, now) for party in ring.relying_parties),
    )


def _left_at(key: Key, now: int) -> int:
    known = [time for time in (key.compromised_at, key.publish_until) if time is not None and time <= now]
    return min(known, default=now)


def _takes_over_at(ring: Ring, key: Key, left_at: int, now: int) -> int | None:
    if key.activated_at is None or key.deactivated_at is not None:
        return None
    planned = ring.max_ages.cached_until(left_at, ring.policy)
    if key.compromised_at is None:
        return planned
    new = [other for other in ring.keys if other.published_at >= left_at and other.kid != key.kid]
    signed = [other.activated_at for other in new if other.activated_at is not None]
    if signed:
        return max(planned, min(signed))
    waiting = [ready_at(ring, ring.policy, other) for other in new if other.state is KeyState.PRE_ACTIVATION]
    # Without any, the key store is away: it takes over no sooner than if it were published now.
    return max(now, *waiting) if waiting else ring.max_ages.cached_until(now, ring.policy)


def _latest_expiry(key: Key, policy: Policy, now: int) -> int | None:
    if key.activated_at is None:
        return None
    if key.publish_until is not None and key.publish_until > key.foreign_until:
        return key.publish_until
    # Else it is published for longer, or was, only for tokens from elsewhere.
    signed_until = min((time for time in (key.deactivated_at, key.compromised_at) if time is not None), default=now)
    return signed_until + policy.kept(key.token_lifetime)


def _exposure(party: RelyingParty, policy: Policy, left_at: int, held: int, takes_over_at: int | None, now: int) -> Exposure:
    """`held` is for how long after `left_at` HTTP caches may hold the key: longer than by the policy, if that has changed."""
    caching = party.caching
    if caching is None:
        return Exposure(
            relying_party=party,
            accepts=Accepts.UNKNOWN,
            until=None,
            because="It is registered without its library, and without how long it keeps a JWKS.",
            refuses_for=None,
            refuses="" if takes_over_at is None else "It may refuse good tokens of the key that takes over: nobody knows for how long.",
            advice=(_restart(held), "Ask its people how it keeps a JWKS, and register that."),
        )
    late = None if takes_over_at is None else takes_over_at - left_at - held
    exposed = exposed_for(caching, policy, late=late)
    until = None if exposed is None else left_at + exposed + held - policy.cached
    verdict = check(caching, policy)
    if until is None:
        accepts, first = Accepts.UNTIL_RESTARTED, [_restart(held)]
    elif now < until:
        accepts, first = Accepts.UNTIL, [f"That is too long? {_restart(held)}"]
    else:
        accepts, first = Accepts.NO_MORE, []
    return Exposure(
        relying_party=party,
        accepts=accepts,
        until=until,
        because=_because(caching, held, late),
        refuses_for=0 if takes_over_at is None else verdict.refused_for,
        refuses="" if takes_over_at is None else _refuses(caching, verdict.refused_for),
        advice=(*first, *verdict.advice),
    )


def _restart(held: int) -> str:
    # A restarted client fetches, and may get what an HTTP cache has kept.
    return f"Restart it, which empties its cache; behind an HTTP cache, once more {render_duration(held)} after the key has left the JWKS."


def _because(caching: Caching, held: int, late: int | None) -> str:
    fetched = late + caching.cooldown if late is not None and caching.refetches and not caching.per_key else None
    if fetched is not None and (caching.lifetime is None or fetched < caching.lifetime):
        cooldown = f", which it does at most every {render_duration(caching.cooldown)}" if caching.cooldown else ""
        why = f"It fetches the JWKS anew when it sees the key that takes over, which it does not know{cooldown}"
    elif caching.lifetime is not None:
        each = ", each key by itself" if caching.per_key else ""
        why = f"It keeps a JWKS for {render_duration(caching.lifetime)}{each}, and HTTP caches before it for up to {render_duration(held)}"
    elif not caching.refetches:
        why = "What it fetched never expires, and it never fetches again by itself"
    elif caching.per_key:
        why = "What it fetched never expires, and it keeps each key by itself, so fetching another one drops nothing"
    else:
        why = "What it fetched never expires, and it fetches only for a key that it does not know, but none takes over from this one"
    return f"{why}; it goes on with the set before for {render_duration(caching.grace)} more." if caching.grace else f"{why}."


def _refuses(caching: Caching, refused: int | None) -> str:
    if refused is None:
        return "It refuses all tokens of the key that takes over, until it is restarted."
    if not refused:
        return "It accepts the key that takes over at once, since it fetches what it does not have."
    if caching.refetches:
        return f"It may refuse good tokens for up to {render_duration(refused)}, if another unknown key has made it fetch just before."
    return f"It may refuse good tokens of the key that takes over for up to {render_duration(refused)}, until its cache expires."
