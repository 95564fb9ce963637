"""A rotation in words: before it is asked for, and after it was done."""

from __future__ import annotations

from dataclasses import dataclass

from dashboards.console.times import age, utc, words
from keyvault import commands
from keyvault.due import activates_at
from keyvault.errors import RingError
from keyvault.plan import Outcome, Plan
from keyvault.readiness import safe_at
from keyvault.ring import Ring


@dataclass(frozen=True, slots=True)
class Rotation:
    """What the button would do now.

    Attributes:
        says: in paragraphs.
        button: what stands on it; None when it can't be pressed.
        expects: names the ring and the outcome that was spelt out, so that no other one is carried out.
    """

    says: tuple[str, ...]
    button: str | None
    expects: str


def rotation(ring: Ring, now: int) -> Rotation:
    """What a rotation would do to the ring now. The same pure plan decides that carries it out."""
    try:
        plan = commands.rotate(ring, ring.policy, now)
    except RingError as error:
        return Rotation((f"Not possible now: {error}.",), None, "")
    button = {Outcome.CREATED: "Create the next key", Outcome.ACTIVATED: "Rotate now", Outcome.WAITING: "Rotate"}.get(plan.outcome)
    return Rotation(_before(ring, plan, now), button, f"{plan.outcome} {ring.changed_at} {len(ring.keys)}")


def rotated(outcome: Outcome, ring: Ring, kid: str | None, warning: str | None, now: int) -> tuple[str, ...]:
    """What a rotation came to, in paragraphs. `ring` is the one after it."""
    said: list[str] = []
    scheduled = activates_at(ring, ring.policy)
    match outcome:
        case Outcome.ACTIVATED if ring.active is not None:
            said.append(f"Done: key {ring.active.kid} signs every new token now.")
            left = max((key.publish_until for key in ring.keys if key.publish_until is not None), default=None)
            if left is not None and left > now:
                said.append(f"The key before it stays published until {utc(left)}, so that tokens signed with it still verify.")
        case Outcome.CREATED if kid is not None:
            said.append(f"Done: key {kid} was created and is in the JWKS.")
            if ring.standby is not None and scheduled is not None:
                said.append(f"It takes over on {utc(scheduled)} ({age(scheduled, now)}); nothing changes for anybody until then.")
        case Outcome.WAITING if scheduled is not None:
            said.append(f"Nothing was changed: the standby takes over on {utc(scheduled)} ({age(scheduled, now)}).")
            if ring.standby is not None and now < (safe := safe_at(ring, ring.policy, ring.standby)) < scheduled:
                said.append(f"From {utc(safe)} ({age(safe, now)}) on it is safe: a rotation then lets it sign at once.")
        case _:
            said.append("Nothing was changed: somebody else has just rotated this ring.")
    return (*said, warning) if warning else tuple(said)


def _before(ring: Ring, plan: Plan, now: int) -> tuple[str, ...]:
    policy, active, standby = ring.policy, ring.active, ring.standby
    if active is None:
        return ("No key signs at present. A key becomes active at once, so that tokens can be signed again.",)
    if plan.outcome is Outcome.ACTIVATED and standby is not None:
        known = f"It has been published since {utc(standby.published_at)}, so relying parties know it."
        kept = utc(now + policy.kept(active.token_lifetime))
        still = f"and stays published until about {kept}: tokens that it signed still verify until they expire."
        return (
            f"Key {standby.kid} signs from then on. {known}",
            f"Key {active.kid} stops signing, {still}",
            "Nobody is signed out, and relying parties have nothing to do. A new standby follows by itself.",
        )
    if plan.outcome is Outcome.CREATED:
        withdrawn = "the policy asks for another algorithm now. It never signed, so nobody misses it."
        return (
            f"A new {policy.algorithm.value} key is created and published in the JWKS.",
            *((f"The standby {standby.kid} is withdrawn: {withdrawn}",) if standby is not None else ()),
            f"It signs nothing until it has been published for {words(policy.publish_ahead)}: nothing changes for anybody before then.",
        )
    if plan.outcome is Outcome.WAITING and standby is not None:
        ready = safe_at(ring, policy, standby)
        until = f"until {utc(ready)} ({age(ready, now)})"
        learning = f"Relying parties have {until} to learn it."
        if standby.emergency:
            learning = f"It takes over after the compromise, and waits for nobody: only {until}, when no cache may keep a JWKS without it."
        return (
            f"The standby is not due: it was published {age(standby.published_at, now)}. {learning}",
            "A rotation before then changes nothing, and answers when the standby takes over by itself.",
            "What can't wait is forced, with a reason: “Let it sign now” at the standby.",
        )
    return ("Somebody else has just rotated this ring.",)
