"""What people ask of a key ring with keys that were made elsewhere, as pure plans like `keyvault.commands`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from keyvault import commands
from keyvault.due import Adopt, Import, room
from keyvault.durations import DAY, render_duration
from keyvault.errors import InvalidImport, TooManyPublishedKeys, WrongState
from keyvault.jwk import PublicJwk
from keyvault.key import Key, KeyState
from keyvault.plan import Outcome, Plan
from keyvault.policy import Guard, Policy
from keyvault.readiness import safe_at
from keyvault.ring import Ring

LONGEST_PUBLISHED: Final = 366 * DAY
"""For how long a key can be published whose private half is elsewhere. For longer, import it again."""

INTERRUPTED: Final = 7 * DAY
"""For how long an import of a private key that was interrupted can be repeated; after that, what is left of it is destroyed."""

MOST_IMPORTED: Final = 200
"""Of a ring, in all its life. It keeps each one, published or not, so that none comes back that was compromised; and every node folds them
all at its start, so that whoever imports by the thousand would slow down everybody's."""


def publish(ring: Ring, policy: Policy, now: int, keys: Sequence[PublicJwk], publish_until: int, *, private: bool = False) -> Plan:
    """Publish these keys until then, all or none of them. Saying it again changes nothing, or puts `publish_until` off.

    A key that was adopted since then stays published that long, too, however soon its turn here ends. One that has left the JWKS, and is in
    the key store, does not come back: it is destroyed there, by a call that may be under way already.

    Args:
        ring: the current one, like `policy`.
        policy: see `ring`.
        now: epoch milliseconds.
        keys: public halves, with the `kid` that they had.
        publish_until: epoch milliseconds.
        private: their private halves are about to be put into the key store; `adopt` is what follows.

    Raises:
        InvalidImport: `publish_until` is past or too far off; two of the keys are one, so that compromising it would leave it published; or
            the ring would have more than `MOST_IMPORTED`.
        WrongState: another key has the `kid`, the key is there under another `kid`, was compromised or destroyed here, or is about to be
            destroyed.
        TooManyPublishedKeys: there is no room for them.
    """
    at = max(now, ring.changed_at)
    if not at < publish_until <= at + LONGEST_PUBLISHED:
        raise InvalidImport(
            f"publish_until must be a time within the next {render_duration(LONGEST_PUBLISHED)}: when the last token of these keys has "
            "expired; for longer, import them again later"
        )
    actions = []
    new = more = 0
    kids: dict[str, str] = {}
    there = {key.jwk.thumbprint(): key for key in ring.keys}
    for jwk in keys:
        if (other := kids.setdefault(jwk.thumbprint(), jwk.kid)) != jwk.kid:
            raise InvalidImport(f"{other!r} and {jwk.kid!r} are the same key, and a ring has each once: leave one of them out")
        known = _known(ring, there, jwk)
        if known is not None and (known.compromised_at is not None or known.state is KeyState.DESTROYED):
            hint = "its tokens are refused for good, so sign with another key" if known.compromised_at is not None else "use another key"
            raise WrongState(known.kid, known.state, "imported", hint)
        if known is None or _changes(known, publish_until, now, private=private):
            _check_stays(known, policy, now)
            actions.append(Import(jwk, publish_until, private))
            new += known is None
            more += known is None or not known.published(now)
    if new and (had := sum(key.imported for key in ring.keys)) + new > MOST_IMPORTED:
        raise InvalidImport(
            f"this ring has {had} imported keys, {new} more are asked for, and it can have {MOST_IMPORTED} in all its life, as none is "
            "ever forgotten; import only those whose tokens are still valid, and let the old provider's new keys sign nothing any more"
        )
    if more and room(ring, policy, now) < more:
        raise TooManyPublishedKeys(len(ring.published(now)), policy.max_published_keys, ring.next_change(now), more=more)
    outcome = Outcome.IMPORTED if actions else Outcome.UNCHANGED
    return Plan(at=at, policy=policy, outcome=outcome, actions=tuple(actions))


def adopt(
    ring: Ring, policy: Policy, now: int, kid: str, *, known_since: int | None = None, activate: bool = False, reason: str | None = None
) -> Plan:
    """Let an imported key sign whose private half is in the key store, as soon as relying parties have it.

    - It has been published here for `publish_ahead`, or elsewhere since `known_since`: it signs at once (`activated`). Relying parties
      that are registered fetch it here, so they are waited for all the same.
    - Else it becomes the standby in place of the one there is, and signs when it is ready (`waiting`).

    Args:
        ring: the current one, like `policy`.
        policy: see `ring`.
        now: epoch milliseconds.
        kid: of a key that `publish` has published.
        known_since: since when relying parties could fetch it at the IDP that it comes from, in epoch milliseconds.
        activate: do not wait; the plan's `warning` says whom that may break.
        reason: why, when forced.

    Raises:
        UnknownKid: the ring has no such key.
        InvalidImport: it would be replaced at once, as the policy has another algorithm; `known_since` is not past; or forcing takes a
            second person.
        WrongState: it was not imported, has signed here before, is about to be destroyed, or is not to be used any more; or it would
            have to wait as the standby while a key takes over after a compromise.
        ReasonMissing: it has to be forced, and no reason is given.
    """
    key, at = ring.find(kid), max(now, ring.changed_at)
    if known_since is not None and known_since > now:
        raise InvalidImport("the time since when relying parties have the key must be past; leave it out if they don't have it yet")
    if key.state is KeyState.ACTIVE:
        return Plan(at=at, policy=policy, outcome=Outcome.UNCHANGED, kid=kid)
    if not key.imported:
        raise WrongState(kid, key.state, "imported", "it was made here, and its private half is in the key store already")
    if key.algorithm is not policy.algorithm:
        raise InvalidImport(
            f"key {kid!r} is for {key.algorithm}, and the policy for {policy.algorithm}, so the next rotation would end it at once; "
            f"set algorithm {key.algorithm} in the policy first"
        )
    if Guard.FORCE in policy.dual_control and (activate or known_since is not None):
        raise InvalidImport(
            "the policy lets nobody force a key alone: import it without saying that it is known or is to sign at once; then it waits as "
            "the standby, and activating it by force is what a second person approves"
        )
    if key.state not in {KeyState.PRE_ACTIVATION, KeyState.DEACTIVATED} or key.activated_at is not None:
        raise WrongState(kid, key.state, "imported to sign", "a key that has signed here does not come back; rotate to a new one")
    _check_stays(key, policy, now)
    longer = known_since is not None and known_since < (key.known_since or key.published_at)
    taken = (Adopt(kid, known_since),) if longer or key.state is KeyState.DEACTIVATED else ()
    plan = Plan(at=at, policy=policy, outcome=Outcome.WAITING, actions=taken, kid=kid)
    after = ring
    for event in plan.events(ring, {}):
        after = after.apply(event)
    if activate or after.active is None or safe_at(after, policy, after.find(kid)) <= now:
        then = commands.activate(after, policy, now, kid, reason=(reason or "") if activate else None)
        return replace(plan, outcome=then.outcome, actions=(*taken, *then.actions), warning=then.warning)
    standby = ring.standby.kid if ring.standby is not None else None
    if standby == kid:
        return plan
    if ring.takeover_from is not None:  # its turn would be put off by `publish_ahead`, and who keeps the bad key would keep it as long
        raise WrongState(
            kid, key.state, "adopted now", "a key that takes over after a compromise is about to sign; repeat this when it does"
        )
    return plan if standby is None else replace(plan, actions=(Adopt(kid, known_since, replaces=standby),))


def _known(ring: Ring, there: Mapping[str, Key], jwk: PublicJwk) -> Key | None:
    """The ring's key that this is; `there` are the ring's keys by their thumbprints."""
    thumbprint = jwk.thumbprint()
    named = next((key for key in ring.keys if key.kid == jwk.kid), None)
    if named is not None and named.jwk.thumbprint() != thumbprint:
        raise WrongState(jwk.kid, named.state, "imported", "another key of this ring has that kid, and no two may")
    if named is not None and named.algorithm is not jwk.alg:
        raise WrongState(jwk.kid, named.state, "imported", f"it is in this ring for {named.algorithm}, and not for {jwk.alg}")
    if named is None and (same := there.get(thumbprint)) is not None:
        raise WrongState(jwk.kid, same.state, "imported", f"it is in this ring already, under the kid {same.kid!r}")
    return named


def _check_stays(key: Key | None, policy: Policy, now: int) -> None:
    """Refuses to go on with a key that a node whose clock is ahead may be destroying at this moment, before the log can tell."""
    if key is None or key.state is not KeyState.DEACTIVATED or not key.stored:
        return
    if not key.published(now + policy.clock_skew):
        raise WrongState(key.kid, key.state, "imported", "its time here is over, and the key store is about to destroy it; use another key")


def _changes(known: Key, publish_until: int, now: int, *, private: bool) -> bool:
    if not known.imported:
        return False
    if private:
        return known.state is KeyState.DEACTIVATED and (not known.stored or not known.published(now))
    if known.publish_until is None:  # it is the standby, or signs: what counts is how long it stays after that
        return publish_until > known.foreign_until
    return publish_until > min(known.publish_until, known.foreign_until)
