"""What people ask of a key ring, as pure plans over (ring, policy, now). `now` is epoch milliseconds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from keyvault.due import Action, Activate, Compromise, Destroy, Discard, Prepare, due, freed, room
from keyvault.durations import render_duration
from keyvault.errors import InvalidPolicy, NotYetDue, ReasonMissing, TooManyPublishedKeys, WrongState
from keyvault.key import Key, KeyState
from keyvault.plan import Outcome, Plan
from keyvault.policy import Policy
from keyvault.readiness import late, safe_at
from keyvault.relying_party import RelyingParty
from keyvault.ring import Ring

_MAX_REASON = 1000
_EARLY = "activating a key before the relying parties have it"


def scheduled(ring: Ring, policy: Policy, now: int) -> Plan:
    """What is due. What the key store can't do now stays due."""
    outcome = Outcome.SCHEDULED if (actions := due(ring, policy, now)) else Outcome.UNCHANGED
    return Plan(at=_at(ring, now), policy=policy, outcome=outcome, actions=tuple(actions), best_effort=True)


def rotate(
    ring: Ring, policy: Policy, now: int, *, activate: bool = False, reason: str | None = None, instead_of: str | None = None
) -> Plan:
    """Prepare the next key, or activate it when it is ready.

    - No standby: one is created (`created`).
    - A standby that is not ready: nothing happens (`waiting`); it is the plan's `kid`.
    - A standby that is ready (`keyvault.readiness.safe_at`): it signs (`activated`), without waiting for `rotation_period`.

    Args:
        ring: the current one, like `policy`.
        policy: see `ring`.
        now: epoch milliseconds.
        activate: do not wait: the standby signs at once, a new key if there is none. The plan's `warning` says whom that may break.
        reason: why, when forced; kept in the log.
        instead_of: the `kid` that was active when the request came. If another one is by now, somebody else has rotated, and this
            request answers theirs (`unchanged`).

    Raises:
        ReasonMissing: it has to be forced, and no reason is given.
        TooManyPublishedKeys: there is no room for a new key.
    """
    at = _at(ring, now)
    if ring.active is None:
        outcome = Outcome.ACTIVATED if ring.standby is not None else Outcome.CREATED
        # Not what else is due: an old key that can't be destroyed just now must not keep a new one from signing.
        needed = tuple(action for action in due(ring, policy, now) if not isinstance(action, Destroy | Discard))
        return Plan(at=at, policy=policy, outcome=outcome, actions=needed)
    if instead_of is not None and ring.active.kid != instead_of:
        return Plan(at=at, policy=policy, outcome=Outcome.UNCHANGED, kid=ring.active.kid)
    standby = ring.standby
    if standby is not None and standby.algorithm is policy.algorithm:
        if activate or safe_at(ring, policy, standby) <= now:
            return _activation(ring, policy, now, standby, reason)
        return Plan(at=at, policy=policy, outcome=Outcome.WAITING, kid=standby.kid)
    replaces = standby.kid if standby is not None else None
    if room(ring, policy, now) + freed(standby, now) < 1:
        raise TooManyPublishedKeys(len(ring.published(now)), policy.max_published_keys, ring.next_change(now))
    takeover = ring.takeover_from is not None
    if not activate:
        prepare = Prepare(ring.next_ordinal, policy.algorithm, emergency=takeover, replaces=replaces)
        return Plan(at=at, policy=policy, outcome=Outcome.CREATED, actions=(prepare,))
    forced = _reason(_EARLY, reason)
    prepare = Prepare(ring.next_ordinal, policy.algorithm, emergency=takeover, activate=True, forced=forced, replaces=replaces)
    warning = _whom_it_breaks(ring, None, policy, now)
    return Plan(at=at, policy=policy, outcome=Outcome.ACTIVATED, actions=(prepare,), warning=warning)


def activate(ring: Ring, policy: Policy, now: int, kid: str, *, reason: str | None = None) -> Plan:
    """Let this standby sign: at once if it is ready, else with a reason (the plan's `warning` says whom that may break).

    Raises:
        UnknownKid: the ring has no such key.
        WrongState: it is deactivated, compromised or destroyed.
        NotYetDue: it is not ready, and no reason is given; carries from when on it is.
    """
    key = ring.find(kid)
    if key.state is KeyState.ACTIVE:
        return Plan(at=_at(ring, now), policy=policy, outcome=Outcome.UNCHANGED, kid=kid)
    if key.state is not KeyState.PRE_ACTIVATION:
        raise WrongState(kid, key.state, "activated", "rotate to create a new key")
    ready = safe_at(ring, policy, key)
    if now < ready and reason is None and ring.active is not None:
        raise NotYetDue(kid, "activated", ready, f"wait until {_time(ready)}, or give a reason to force it now")
    return _activation(ring, policy, now, key, reason)


def compromise(ring: Ring, policy: Policy, now: int, kid: str, *, reason: str) -> Plan:
    """Take the key out of the JWKS at once, whatever the key store says. Saying it again changes nothing.

    - The active key, with a standby: the standby signs at once, without the key store, which may hang. What is due then is a key that
      nobody has cached, which takes over when no cache has a JWKS without it (`keyvault.readiness.ready_at`).
    - The active key, without a standby: a new key is created, published and activated. If the key store is away, signing stops
      (`NoActiveKey`) until the next `due` can do so.
    - A standby leaves, and a new one is due. A deactivated key just leaves.

    Raises:
        UnknownKid: the ring has no such key.
        WrongState: it is destroyed.
        ReasonMissing: the reason is empty or too long.
    """
    key, at = ring.find(kid), _at(ring, now)
    why = _reason("reporting a compromise", reason)
    if key.compromised_at is not None:
        return Plan(at=at, policy=policy, outcome=Outcome.UNCHANGED, kid=kid)
    if key.state is KeyState.DESTROYED:
        raise WrongState(kid, key.state, "compromised", "it is neither published nor kept any more")
    actions: list[Action] = [Compromise(kid, why)]
    if key.state is KeyState.ACTIVE and ring.standby is not None:
        actions.append(Activate(ring.standby.kid, forced=f"key {kid} was compromised"))
    elif key.state is KeyState.ACTIVE:
        actions.append(Prepare(ring.next_ordinal, policy.algorithm, activate=True, forced=f"key {kid} was compromised"))
    if key.state is KeyState.ACTIVE and ring.standby is not None and room(ring, policy, now) < 0:
        # Else `due` has it at once. It would wait for room, after the limit was lowered, and who keeps the bad key would keep it as long.
        actions.append(Prepare(ring.next_ordinal, policy.algorithm, emergency=True))
    return Plan(at=at, policy=policy, outcome=Outcome.COMPROMISED, actions=tuple(actions), kid=kid, best_effort=True)


def destroy(ring: Ring, policy: Policy, now: int, kid: str) -> Plan:
    """Destroy a key in the key store: a compromised one, or a deactivated one whose last token has expired.

    Raises:
        UnknownKid: the ring has no such key.
        WrongState: it is still in use.
        NotYetDue: its last token has not expired.
    """
    key, at = ring.find(kid), _at(ring, now)
    if key.state is KeyState.DESTROYED:
        return Plan(at=at, policy=policy, outcome=Outcome.UNCHANGED, kid=kid)
    if key.state in {KeyState.ACTIVE, KeyState.PRE_ACTIVATION}:
        raise WrongState(kid, key.state, "destroyed", "rotate first, or report it as compromised")
    if not key.stored:
        raise WrongState(kid, key.state, "destroyed", "it was imported without its private half, so the key store never had it")
    if key.publish_until is not None and key.published(now):
        raise NotYetDue(kid, "destroyed", key.publish_until, f"its last token expires by {_time(key.publish_until)}")
    return Plan(at=at, policy=policy, outcome=Outcome.DESTROYED, actions=(Destroy(kid),), kid=kid)


def change_policy(ring: Ring, policy: Policy, now: int) -> Plan:
    """Set another policy. What it makes due is done by the next `due`.

    Raises:
        InvalidPolicy: with all the problems found.
    """
    if problems := policy.problems():
        raise InvalidPolicy(*problems)
    outcome = Outcome.UNCHANGED if policy == ring.policy else Outcome.POLICY_CHANGED
    return Plan(at=_at(ring, now), policy=policy, outcome=outcome)


def _activation(ring: Ring, policy: Policy, now: int, standby: Key, reason: str | None) -> Plan:
    forced = warning = None
    if now < safe_at(ring, policy, standby) and ring.active is not None:
        forced = _reason(_EARLY, reason)
        warning = _whom_it_breaks(ring, standby, policy, now)
    return Plan(
        at=_at(ring, now),
        policy=policy,
        outcome=Outcome.ACTIVATED,
        actions=(Activate(standby.kid, forced),),
        kid=standby.kid,
        warning=warning,
    )


def _whom_it_breaks(ring: Ring, standby: Key | None, policy: Policy, now: int) -> str:
    if standby is None:
        told = (
            f"The new key was never published before (publish_ahead is {render_duration(policy.publish_ahead)}). Every "
            "relying party that has "
            "a JWKS in its cache and does not refetch it on an unknown kid refuses the new tokens until its cache "
            "expires, by the rules after "
            f"{render_duration(max(policy.jwks_max_age, ring.max_ages.cached_until(now, policy) - now - policy.clock_skew))}."
        )
        parties = list(ring.relying_parties)
    else:
        since = max(0, now - standby.published_at)
        told = (
            f"Key {standby.kid} has been published since {_time(standby.published_at)}, for {render_duration(since)} of "
            f"{render_duration(policy.publish_ahead)}; {render_duration(max(0, safe_at(ring, policy, standby) - now))} "
            "are missing. Relying "
            f"parties that cached the JWKS before {_time(standby.published_at)}, keep it for longer than "
            f"{render_duration(since)} and do not "
            "refetch it on an unknown kid refuse the new tokens until their cache expires."
        )
        lacked_until = ring.max_ages.lacked_until(standby.published_at, policy, standby.kid)
        if lacked_until > max(now, standby.published_at + policy.cached):
            told += f" By the policy before, HTTP caches may hold a JWKS without the key until {_time(lacked_until)}."
        parties = [one.relying_party for one in late(ring, policy, standby, now)]
    if refusing := _named(party for party in parties if not party.refetches):
        told += f" Of those that are registered: {refusing}."
    if fetching := _named(party for party in parties if party.refetches):
        told += f" These fetch it when a token names it, unless a cache before them keeps the JWKS without it: {fetching}."
    return told


def _named(parties: Iterable[RelyingParty]) -> str:
    return ", ".join(f"{party.name} ({party.contact})" if party.contact else party.name for party in parties)


def _reason(what: str, reason: str | None) -> str:
    if reason is None or not reason.strip():
        raise ReasonMissing(what)
    if len(reason) > _MAX_REASON:
        raise ReasonMissing(what, "takes a shorter reason")
    return reason.strip()


def _at(ring: Ring, now: int) -> int:
    """The time of new events: a node whose clock is behind must not write into the past, or the past JWKS would change."""
    return max(now, ring.changed_at)


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
