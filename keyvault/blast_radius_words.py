"""The blast radius in words, for whoever is woken up by it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from keyvault.blast_radius import Accepts, BlastRadius, Exposure
from keyvault.key import KeyState
from keyvault.usage import Usage

_NAMED = 10
"""Relying parties that a sentence names."""


def summary(found: BlastRadius) -> tuple[str, ...]:
    """What was signed, what expires when, and who may accept it for how long: a sentence or two each.

    It holds names of relying parties as they were registered, and no client's.
    """
    said = [_signed(found), *_expiry(found)]
    if found.takes_over_at is not None:
        will = "signs" if found.key.compromised_at is not None else "would sign"
        makes = "which makes those fetch anew that fetch for an unknown kid"
        said.append(f"From {_time(found.takes_over_at)} on a key {will} that nobody had in a cache before, {makes}.")
    elif found.key.state not in {KeyState.COMPROMISED, KeyState.DESTROYED}:
        said.append("The key does not sign, so no other takes over from it: what signs now goes on, and nobody refuses good tokens.")
    return (*said, *_accepted(found.exposures))


def _signed(found: BlastRadius) -> str:
    kid, usage = found.key.kid, found.usage
    if usage is None:
        return f"How many tokens key {kid} has signed is not known now. Nothing depends on it; ask again when the search index answers."
    if usage.first_at is None or usage.last_at is None:
        return f"Key {kid} has signed no token that was counted."
    counts = f"at least {_count(usage.signatures, 'token')} for about {_count(usage.subjects.estimate(), 'subject')}"
    return f"Key {kid} has signed {counts} and {_clients(usage)}, from {_time(usage.first_at)} to {_time(usage.last_at)}."


def _clients(usage: Usage) -> str:
    return f"more than {_count(len(usage.clients), 'client')}" if usage.other_clients else _count(len(usage.clients), "client")


def _expiry(found: BlastRadius) -> tuple[str, ...]:
    thief = "What a thief signs lives for as long as he likes: only the relying parties' caches end that."
    if found.latest_expiry is None:
        return (f"It has never signed here. {thief}",)
    bound = f"by the policy none that was signed here is valid after {_time(found.latest_expiry)}"
    last = found.usage.last_expiry if found.usage is not None else None
    if last is None:
        return (f"{bound[0].upper()}{bound[1:]}. {thief}",)
    return (f"The last of those that were counted expires at {_time(last)}, and {bound}. {thief}",)


def _accepted(exposures: Sequence[Exposure]) -> tuple[str, ...]:
    if not exposures:
        return ("No relying party is registered, so nobody can be named who may still accept the key's tokens.",)
    said = []
    if never := [one for one in exposures if one.accepts is Accepts.UNTIL_RESTARTED]:
        said.append(f"Until they are restarted, its tokens may be accepted by {_names(never)}.")
    if unknown := [one for one in exposures if one.accepts is Accepts.UNKNOWN]:
        said.append(f"For how long they are accepted by {_names(unknown)}, nobody knows.")
    if known := [one.until for one in exposures if one.accepts is Accepts.UNTIL and one.until is not None]:
        others = "the others" if never or unknown else "all of the registered relying parties"
        said.append(f"From {_time(max(known))} on {others} refuse them.")
    elif not said:
        said.append("All of the registered relying parties refuse its tokens by now.")
    return tuple(said)


def _names(exposures: Sequence[Exposure]) -> str:
    names = [party.name for party in (one.relying_party for one in exposures)]
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' if number != 1 else ''}"


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
