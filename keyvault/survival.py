"""Whether a relying party survives a rotation and an emergency, judged by how it keeps a JWKS: in numbers, and in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keyvault.caching import Caching, exposed_for, sure_after
from keyvault.durations import MINUTE, render_duration
from keyvault.policy import Policy

_OTHER_ALGORITHM: Final = (
    "Another algorithm: if the policy's `algorithm` is changed, it breaks. It allows only the algorithms that were published when it "
    "started, so restart it when the first key of the new one is published, before that signs."
)


@dataclass(frozen=True, slots=True)
class Survival:
    """The verdict. Durations are milliseconds.

    Attributes:
        planned: whether a planned rotation goes unnoticed.
        emergency: whether it gets over a compromised key by itself.
        exposed_for: for how long after a compromise it may still accept tokens of the bad key; None: until it is restarted.
        refused_for: for how long it may refuse good tokens after that; None: until it is restarted.
        findings: what happens, a sentence each.
        advice: what to change, best first; empty if nothing has to be.
    """

    planned: bool
    emergency: bool
    exposed_for: int | None
    refused_for: int | None
    findings: tuple[str, ...]
    advice: tuple[str, ...]


def check(caching: Caching, policy: Policy) -> Survival:
    """Judges a relying party that keeps a JWKS by these rules, for a tenant with this policy."""
    planned, told = _planned(caching, policy)
    refused = _refused(caching)
    exposed = exposed_for(caching, policy)
    return Survival(
        planned=planned,
        emergency=exposed is not None and refused is not None,
        exposed_for=exposed,
        refused_for=refused,
        findings=(told, _exposure(exposed), _refusal(caching, refused), *([_OTHER_ALGORITHM] if caching.algorithms_once else [])),
        advice=tuple(_advice(caching, policy)),
    )


def _planned(caching: Caching, policy: Policy) -> tuple[bool, str]:
    ahead = render_duration(policy.publish_ahead)
    if caching.lifetime is None:
        if caching.refetches:
            return (
                True,
                "Planned rotation: it goes unnoticed. It keeps keys for ever, but fetches when a token names a key that it does not have.",
            )
        return False, (
            "Planned rotation: it breaks. It never fetches again by itself, so it refuses every token of the new key until it is restarted."
        )
    kept = render_duration(caching.lifetime)
    wait = sure_after(caching, policy)
    assert wait is not None, "it has a lifetime"
    if wait <= policy.publish_ahead:
        return True, (
            f"Planned rotation: it goes unnoticed. A key is published {ahead} before it signs, and it keeps a JWKS for {kept} at most."
        )
    if wait <= policy.publish_ahead + policy.readiness_limit:
        return True, (
            f"Planned rotation: it goes unnoticed, because a rotation waits for it: it keeps a JWKS for {kept}, which "
            "is longer than a key is "
            f"published ahead ({ahead}). Whoever forces a rotation breaks it, unless it fetches when a token names an unknown key."
        )
    if caching.refetches:
        return True, (
            f"Planned rotation: it goes unnoticed as long as it can fetch: it keeps a JWKS for {kept}, longer than any "
            "rotation waits, but fetches "
            "when a token names a key that it does not have."
        )
    return False, (
        f"Planned rotation: it breaks. It keeps a JWKS for {kept}, and a rotation waits for "
        f"{render_duration(policy.readiness_limit)} beyond "
        f"{ahead} at most; then it refuses the new key's tokens until its cache expires."
    )


def _refused(caching: Caching) -> int | None:
    """The key that takes over is new to it: it has it when it fetches, at once, after its cooldown, or when its cache expires."""
    return caching.cooldown if caching.refetches else caching.lifetime


def _exposure(exposed: int | None) -> str:
    if exposed is None:
        return "Emergency: it accepts tokens of a compromised key until it is restarted."
    return f"Emergency: it may accept tokens of a compromised key for up to {render_duration(exposed)} after it was reported."


def _refusal(caching: Caching, refused: int | None) -> str:
    if refused is None:
        return "Emergency: it refuses all tokens of the key that takes over, until it is restarted."
    if not refused:
        return "Emergency: it accepts the key that takes over at once, since it fetches what it does not have."
    if caching.refetches:
        return (
            f"Emergency: it may refuse good tokens for up to {render_duration(refused)}, "
            "if another unknown key has made it fetch just before."
        )
    return f"Emergency: it may refuse good tokens for up to {render_duration(refused)}, until its cache expires."


def _advice(caching: Caching, policy: Policy) -> list[str]:
    advice = []
    if not caching.refetches:
        advice.append(
            "Let it fetch the JWKS when a token names a `kid` that it does not have (once, and not more often than every 30 seconds or so)."
        )
    if caching.lifetime is None:
        advice.append(
            "Let what it fetched expire, after five to ten minutes: an expired cache is what drops a bad key when no new token comes."
        )
    elif caching.per_key and caching.lifetime > 10 * MINUTE:
        advice.append(
            f"Keep keys for ten minutes at most: it keeps each key by itself for {render_duration(caching.lifetime)}, "
            "so a bad one stays that long."
        )
    elif not caching.refetches and caching.lifetime > policy.jwks_max_age:
        advice.append(f"Keep a JWKS for what its `Cache-Control` says, {render_duration(policy.jwks_max_age)}.")
    if caching.cooldown > MINUTE:
        advice.append(f"Shorten the time between two fetches for an unknown `kid` from {render_duration(caching.cooldown)} to 30 seconds.")
    if caching.most_keys is not None and caching.most_keys < policy.max_published_keys:
        advice.append(
            f"Let it hold {policy.max_published_keys} keys: it holds {caching.most_keys}, so it fetches again and again "
            "when more are in use."
        )
    return advice
