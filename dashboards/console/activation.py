"""Letting the standby sign, in words: what it would do to whom, and when; before it is asked for, and after."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from dashboards.console.rotation import rotated
from dashboards.console.standby_readiness import StandbyReadiness, standby_readiness
from dashboards.console.times import age, utc, words
from keyvault import commands
from keyvault.errors import RingError
from keyvault.key import Key, KeyState
from keyvault.plan import Outcome
from keyvault.policy import Guard
from keyvault.readiness import late, safe_at
from keyvault.relying_party import RelyingParty
from keyvault.ring import Ring

_NAMED: Final = 10
_ASKED: Final = "Asked for: the policy wants a second person's approval. Nothing changes until it is given."


@dataclass(frozen=True, slots=True)
class Activation:
    """What the button would do now.

    Attributes:
        says: in paragraphs.
        button: what stands on it; None when it can't be pressed.
        forced: whether the key would sign before the relying parties surely have it, which takes a reason.
        expects: names the keys and the outcome that was spelt out, so that no other one is carried out.
    """

    says: tuple[str, ...]
    button: str | None = None
    forced: bool = False
    expects: str = ""


def activation(ring: Ring, now: int, kid: str) -> Activation:
    """What it would come to if this key of the ring signed now. The same pure plan decides that carries it out."""
    try:
        plan = commands.activate(ring, ring.policy, now, kid, reason="what would it do?")
    except RingError as error:
        return Activation((f"Not possible: {error}.",))
    if plan.outcome is Outcome.UNCHANGED:
        return Activation(("It signs already.",))
    key, active = ring.find(kid), ring.active
    forced = active is not None and safe_at(ring, ring.policy, key) > now
    waits = forced and Guard.FORCE in ring.policy.dual_control
    behind = [one.relying_party.id for one in late(ring, ring.policy, key, now)] if forced else []
    named = "\n".join((kid, active.kid if active is not None else "", str(forced), str(waits), *behind))
    return Activation(
        says=tuple(_before(ring, key, now, forced=forced, waits=waits)),
        button="Ask a second person" if waits else "Let it sign now, before it is safe" if forced else "Let it sign now",
        forced=forced,
        expects=hashlib.sha256(named.encode()).hexdigest()[:32],
    )


def activated(outcome: Outcome, ring: Ring, kid: str, warning: str | None, now: int) -> tuple[str, ...]:
    """What it came to, in paragraphs. `ring` is the one after it."""
    if outcome is Outcome.PENDING:
        return (_ASKED,)
    if outcome is Outcome.UNCHANGED:
        return (f"Nothing was changed: key {kid} signs already.",)
    return rotated(outcome, ring, kid, warning, now)


def _before(ring: Ring, key: Key, now: int, *, forced: bool, waits: bool) -> Iterator[str]:
    policy, active = ring.policy, ring.active
    if waits:
        yield f"The policy wants a second person's approval, within {words(policy.approval_window)}. Until then nothing changes; then:"
    if active is None:
        yield "No key signs at present. This one does at once, so that tokens can be signed again."
        return
    yield f"Key {key.kid} signs every new token from then on."
    kept = utc(now + policy.kept(active.token_lifetime))
    still = f"and stays published until about {kept}: tokens that it signed still verify until they expire."
    yield f"Key {active.kid} stops signing, {still}"
    if forced:
        yield from _whom_it_breaks(ring, key, now)
    else:
        yield "Relying parties have the key, so they have nothing to do, and nobody is signed out. A new standby follows by itself."


def _whom_it_breaks(ring: Ring, key: Key, now: int) -> Iterator[str]:
    safe, since = safe_at(ring, ring.policy, key), now - key.published_at
    yield f"That is too early: it has been published for {words(max(0, since))} only, and is safe from {utc(safe)} ({age(safe, now)}) on."
    yield (
        "Relying parties that keep a JWKS for longer than that, and do not fetch when a token names a key that they do not have, refuse "
        "every new token until their caches expire: people can't sign in there."
    )
    behind = [one.relying_party for one in late(ring, ring.policy, key, now)]
    if not ring.relying_parties:
        yield "No relying party is registered, so nobody can tell who that is."
    elif behind:
        if refuse := [party for party in behind if not party.refetches]:
            yield f"Of those that are registered, these may refuse its tokens: {_named(refuse)}."
        if fetch := [party for party in behind if party.refetches]:
            yield f"These fetch it when a token names it, unless a cache before them keeps the JWKS without it: {_named(fetch)}."
    else:
        yield "All that are registered surely have it."


def _named(parties: Sequence[RelyingParty]) -> str:
    names = "; ".join(f"{party.name} ({party.contact})" if party.contact else party.name for party in parties[:_NAMED])
    return names + (f"; and {len(parties) - _NAMED} more" if len(parties) > _NAMED else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivatePage:
    """A key, and what it comes to if it signs now.

    Attributes:
        plan: what the button would do.
        may_activate: whether this visitor may press it.
        readiness: of the relying parties, if it is the standby.
        reason: as it was typed, if it has to be typed again.
        trouble: why it was not done.
    """

    template: ClassVar[str] = "activate.html"
    tenant: str
    now: int
    kid: str
    state: str
    plan: Activation
    may_activate: bool
    readiness: StandbyReadiness | None
    reason: str = ""
    trouble: str | None = None

    @property
    def title(self) -> str:
        """Of the page."""
        return "Let a key sign"

    @classmethod
    def of(
        cls, tenant: str, ring: Ring, kid: str, now: int, *, may_activate: bool, reason: str = "", trouble: str | None = None
    ) -> ActivatePage:
        """The page of a key of the ring."""
        key = ring.find(kid)
        return cls(
            tenant=tenant,
            now=now,
            kid=kid,
            state=key.state.value,
            plan=activation(ring, now, kid),
            may_activate=may_activate,
            readiness=standby_readiness(ring, now) if key.state is KeyState.PRE_ACTIVATION else None,
            reason=reason,
            trouble=trouble,
        )
