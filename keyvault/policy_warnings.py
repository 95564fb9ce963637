"""What a policy that is valid may still do to relying parties: in words, for whoever sets or reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from keyvault.caching import LIBRARIES, left_behind, sure_after
from keyvault.durations import render_duration
from keyvault.policy import Policy
from keyvault.relying_party import RelyingParty
from keyvault.ring import Ring

_MOST_NAMED: Final = 20
"""Relying parties that one warning names; it says how many more there are."""


def warnings(ring: Ring, policy: Policy) -> list[str]:
    """What may not go as the settings say, and whom they may break; empty for a policy that suits everybody.

    First what the policy says of itself (`Policy.warnings`), then the relying parties that are registered in the ring, by name, then the
    known client libraries, which others may use.
    """
    return [*policy.warnings(), *_registered(ring, policy), *_libraries(policy), *_other_algorithm(ring, policy)]


def _registered(ring: Ring, policy: Policy) -> Iterator[str]:
    """Whoever is registered with a cache that outlasts `publish_ahead` is waited for, as far as `readiness_limit` allows."""
    ahead, most = policy.publish_ahead, policy.publish_ahead + policy.readiness_limit
    waits = {party: _wait(party, policy) for party in ring.relying_parties}
    waited_for = [party for party, wait in waits.items() if wait is not None and ahead < wait <= most]
    if waited_for:
        yield (
            f"publish_ahead of {render_duration(ahead)} is less than these relying parties may need to have a new key: "
            f"{_named(waited_for, policy)}; rotations wait for them, and one that is forced may break them"
        )
    left = [party for party, wait in waits.items() if (wait is None and party.caching is not None) or (wait is not None and wait > most)]
    if left:
        yield (
            f"publish_ahead of {render_duration(ahead)} and readiness_limit of {render_duration(policy.readiness_limit)} together are less "
            f"than these relying parties may need to have a new key: {_named(left, policy)}; a rotation may break them"
        )


def _libraries(policy: Policy) -> Iterator[str]:
    if not (behind := left_behind(policy)):
        return
    needed = {name: sure_after(LIBRARIES[name].caching, policy) for name in behind}
    names = ", ".join(f"{name} ({_in_words(wait)})" for name, wait in needed.items())
    longest = max((wait for wait in needed.values() if wait is not None), default=policy.publish_ahead)
    yield (
        f"publish_ahead of {render_duration(policy.publish_ahead)} is less than clients of these libraries may need to have a new key: "
        f"{names}; who uses one and is not registered may be broken by a rotation by hand, or to another algorithm: register them, so that "
        f"rotations wait for them, or let publish_ahead be {render_duration(longest)}"
    )


def _other_algorithm(ring: Ring, policy: Policy) -> Iterator[str]:
    """Until a key of the policy's algorithm signs, there is time to restart who looks for algorithms only at its start."""
    if ring.active is None or ring.active.algorithm is policy.algorithm:
        return
    parties = [party for party in ring.relying_parties if party.caching is not None and party.caching.algorithms_once]
    libraries = ", ".join(name for name, library in LIBRARIES.items() if library.caching.algorithms_once)
    who = f"relying parties registered as {_named(parties, policy, wait=False)}" if parties else f"clients of {libraries}"
    yield (
        f"algorithm changes from {ring.active.algorithm} to {policy.algorithm}: {who} may allow only the algorithms that were published "
        "when they started; restart them after the first key of the new one is published, before it signs"
    )


def _wait(party: RelyingParty, policy: Policy) -> int | None:
    return sure_after(party.caching, policy) if party.caching is not None else None


def _named(parties: Sequence[RelyingParty], policy: Policy, *, wait: bool = True) -> str:
    names = []
    for party in parties[:_MOST_NAMED]:
        known = ([party.library] if party.library is not None else []) + ([_in_words(_wait(party, policy))] if wait else [])
        names.append(f"{party.name} ({', '.join(known)})")
    more = f" and {len(parties) - _MOST_NAMED} more" if len(parties) > _MOST_NAMED else ""
    return ", ".join(names) + more


def _in_words(wait: int | None) -> str:
    return f"up to {render_duration(wait)}" if wait is not None else "nobody knows how long"
