"""A key that has leaked: what a report would do and to whom, and after it, who may still accept the key's tokens."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import ClassVar, Final

import msgspec

from dashboards.console.times import utc, words
from keyvault import commands
from keyvault.blast_radius import Accepts, BlastRadius, Exposure
from keyvault.blast_radius_words import summary
from keyvault.errors import RingError
from keyvault.key import Key, KeyState
from keyvault.policy import Guard
from keyvault.readiness import safe_at
from keyvault.ring import Ring

_CLIENTS: Final = 20
_ENDS: Final = "everybody who fetches refuses its tokens, and people whose token it signed sign in again."
_LEAVES: Final = f"It leaves the JWKS at once: {_ENDS}"
_WAITS: Final = (
    "The policy wants a second person's approval: until it is given, the key stays in the JWKS and nothing changes.",
    f"Then it leaves the JWKS: {_ENDS}",
)
_FOR_EVER: Final = "It can't be taken back: the key never comes back, and what it signed stays refused. Compare the kid first."
_ACCEPTS: Final = {
    Accepts.UNTIL_RESTARTED: "until it is restarted",
    Accepts.UNKNOWN: "for how long, nobody knows",
    Accepts.NO_MORE: "no more",
}


@dataclass(frozen=True, slots=True)
class PartyLine:
    """A relying party: whether it may accept the key's tokens, why, what else it does, and what to do, best first.

    Attributes:
        accepts: for how long, in words; None if it is known until when.
        until: that time, in epoch milliseconds.
    """

    name: str
    contact: str | None
    accepts: str | None
    until: int | None
    bad: bool
    because: str
    refuses: str
    advice: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompromisePage:
    """A key, and what its compromise comes to.

    Attributes:
        says: what the report would do, in paragraphs; why it can't be made; empty once it was made.
        affected: who is affected, in paragraphs.
        left: whether the key is still there to be destroyed.
        clients: how many tokens were signed for each client, most first; None where that is not known now.
        expects: names what the form was made for, see `expected`; None when there is nothing to report, or it is not this visitor's to do.
        reason: as it was typed, if it has to be typed again.
        notice: what has just been done.
        trouble: why it was not done.
    """

    template: ClassVar[str] = "compromise.html"
    tenant: str
    now: int
    kid: str
    state: str
    reported_at: int | None
    says: tuple[str, ...]
    affected: tuple[str, ...]
    left: bool
    clients: tuple[tuple[str, int], ...] | None
    more_clients: int
    parties: tuple[PartyLine, ...]
    expects: str | None
    may_report: bool
    reason: str = ""
    notice: tuple[str, ...] = ()
    trouble: str | None = None

    @property
    def title(self) -> str:
        """Of the page."""
        return "A key has leaked"

    @classmethod
    def of(
        cls,
        tenant: str,
        ring: Ring,
        found: BlastRadius,
        now: int,
        *,
        may_report: bool,
        reason: str = "",
        notice: tuple[str, ...] = (),
        trouble: str | None = None,
    ) -> CompromisePage:
        """The page of a key of the ring, with its blast radius."""
        key, usage = found.key, found.usage
        says, possible = _before(ring, key.kid, now)
        shown = tuple(usage.clients.most_common(_CLIENTS)) if usage is not None else None
        return cls(
            tenant=tenant,
            now=now,
            kid=key.kid,
            state=key.state.value,
            reported_at=key.compromised_at,
            says=says,
            affected=summary(found),
            left=_left(ring, key, now),
            clients=shown,
            more_clients=usage.signatures - usage.without_client - sum(count for _, count in shown) if usage and shown else 0,
            parties=tuple(_line(one) for one in found.exposures),
            expects=expected(ring, key.kid) if possible and may_report else None,
            may_report=may_report,
            reason=reason,
            notice=notice,
            trouble=trouble,
        )


def expected(ring: Ring, kid: str) -> str:
    """Names all that decides what a report does and to whom, but for the time and what the key has signed, which always go on."""
    standby = ring.standby
    named = (kid, ring.find(kid).state, standby.kid if standby is not None else "", ring.policy, ring.relying_parties)
    return hashlib.sha256(msgspec.json.encode(named)).hexdigest()[:32]


def reported(ring: Ring, kid: str) -> tuple[str, ...]:
    """What a report came to, in paragraphs. `ring` is the one after it."""
    said = [f"Done: key {kid} has left the JWKS. Its tokens are refused by everybody who fetches."]
    said.append(f"Key {ring.active.kid} signs." if ring.active is not None else "Nothing is signed until the key store has made a new key.")
    return tuple(said)


def _before(ring: Ring, kid: str, now: int) -> tuple[tuple[str, ...], bool]:
    """What a report would do, and whether it can be made."""
    key = ring.find(kid)
    if key.compromised_at is not None:
        return (), False
    try:
        commands.compromise(ring, ring.policy, now, kid, reason="what would it do?")
    except RingError as error:
        return (f"Not possible: {error}.",), False
    waits = Guard.COMPROMISE in ring.policy.dual_control
    return (*(_WAITS if waits else (_LEAVES,)), *_after(ring, key, now, waits=waits), _FOR_EVER), True


def _left(ring: Ring, key: Key, now: int) -> bool:
    if key.state is not KeyState.COMPROMISED:
        return False
    try:
        commands.destroy(ring, ring.policy, now, key.kid)
    except RingError:
        return False
    return True


def _after(ring: Ring, key: Key, now: int, *, waits: bool) -> tuple[str, ...]:
    """What follows from the report, or if it waits from its approval, besides that the key leaves the JWKS."""
    policy, standby = ring.policy, ring.standby
    if key.state is KeyState.PRE_ACTIVATION:
        return ("It has not signed yet, so nobody is signed out. A new standby is published; the key that signs goes on.",)
    if key.state is not KeyState.ACTIVE:
        return ("It signs no more, so nothing else changes.",)
    if standby is None:
        return (
            "There is no standby: a new key is made, published, and signs at once. If the key store is away, nothing is signed until then.",
            "Who does not fetch for an unknown kid refuses the new key's tokens until its cache expires.",
        )
    takeover = now + policy.jwks_max_age + policy.clock_skew
    when = f"{words(takeover - now)} later" + ("" if waits else f", at about {utc(takeover)}")
    published = f"It has been published since {utc(standby.published_at)}"
    learnt = safe_at(ring, policy, standby)
    known = "so relying parties know it." if learnt <= now else f"and not all relying parties surely know it before {utc(learnt)}."
    return (
        f"Key {standby.kid} signs at once. {published}, {known}",
        f"A third key is published that nobody has seen, and takes over {when}.",
        "Its unknown kid makes those fetch who would otherwise keep the bad key.",
    )


def _line(one: Exposure) -> PartyLine:
    return PartyLine(
        name=one.relying_party.name,
        contact=one.relying_party.contact,
        accepts=_ACCEPTS.get(one.accepts),
        until=one.until if one.accepts not in _ACCEPTS else None,
        bad=one.accepts in {Accepts.UNTIL_RESTARTED, Accepts.UNKNOWN},
        because=one.because,
        refuses=one.refuses if one.refuses_for != 0 else "",
        advice=one.advice,
    )
