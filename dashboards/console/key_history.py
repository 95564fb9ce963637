"""What happened to a tenant's keys, in words: its key events as its own log has them, with who did it and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import msgspec

from dashboards.console.approvals import dual_control_words
from dashboards.console.times import utc, words
from keyvault.events import TYPES
from keyvault.policy import Policy
from streams.query.times import iso_to_ms

HISTORY_QUERY: Final = f"event.provider:tenantry AND ({' OR '.join(f'event.action:{kind}' for kind in TYPES)})"
"""Asks a tenant's log for its key events: the tenant's events can't be taken for them, since `tenantry` is no provider of theirs."""

_TITLES: Final = {
    "key_prepared": ("Published", "next"),
    "key_activated": ("Signs", "good"),
    "key_deactivated": ("Stopped signing", ""),
    "key_compromised": ("Compromised", "bad"),
    "key_destroyed": ("Destroyed", ""),
    "key_imported": ("Imported", ""),
    "key_adopted": ("Adopted", "next"),
    "key_discarded": ("Leftover destroyed", ""),
    "policy_changed": ("Policy changed", ""),
    "relying_party_registered": ("Relying party set", ""),
    "relying_party_removed": ("Relying party removed", ""),
    "jwks_fetched": ("Fetched", ""),
    "approval_requested": ("Approval asked for", "next"),
    "approval_given": ("Approved", "good"),
    "approval_withdrawn": ("Approval withdrawn", ""),
}
"""What each event is called, and how its chip looks."""
_ORDERS: Final = {
    "compromise": "Asked to report a key as compromised.",
    "destroy": "Asked to destroy a key.",
    "rotate": "Asked to force a rotation.",
    "activate": "Asked to force a key to sign.",
    "policy": "Asked to change the policy.",
}


@dataclass(frozen=True, slots=True)
class Happened:
    """An event.

    Attributes:
        at: epoch milliseconds; None if the event does not tell.
        look: the class of its chip.
        kid: of the key that it is about, if any.
        says: what happened, in sentences.
        who: who did it.
    """

    at: int | None
    title: str
    look: str
    kid: str
    says: tuple[str, ...]
    who: str


@dataclass(frozen=True, slots=True)
class History:
    """Some of what happened, the newest first; `older` is the cursor of what was before, if there is more."""

    lines: tuple[Happened, ...]
    older: str | None

    @classmethod
    def of(cls, events: Sequence[Mapping[str, Any]], older: str | None, names: Mapping[str, str]) -> History:
        """Of events of the tenant's log.

        Args:
            events: as flat fields, the newest first.
            older: the cursor of those before.
            names: what people call principals, as far as the visitor may know it.
        """
        return cls(tuple(_happened(event, names) for event in events), older)


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """The history, page by page. `history` is None while the search index can't tell it."""

    template: ClassVar[str] = "key_history.html"
    tenant: str
    now: int
    history: History | None
    later: bool
    title: str = "History of the keys"


def _happened(event: Mapping[str, Any], names: Mapping[str, str]) -> Happened:
    action = str(event.get("event.action", ""))
    facts = event.get("idp")
    if not isinstance(facts, Mapping):
        facts = {}
    title, look = _TITLES.get(action, (action, ""))
    return Happened(
        at=iso_to_ms(str(event.get("@timestamp", ""))),
        title=title,
        look=look,
        kid=str(facts.get("kid", "")),
        says=tuple(sentence for sentence in _says(action, facts) if sentence),
        who=_who(str(event.get("user.id", "")), names),
    )


def _says(action: str, facts: Mapping[str, Any]) -> tuple[str, ...]:
    match action:
        case "key_prepared":
            why = "It takes over after a compromise, so nobody had seen it before." if facts.get("emergency") else ""
            return f"Key {facts.get('ordinal')}, {facts.get('algorithm')}, is in the JWKS, and does not sign yet.", why
        case "key_activated":
            wave = f"Its turn in wave {facts['wave']}." if facts.get("wave") else ""
            forced = f"Before it was due: {facts['forced']}." if facts.get("forced") else ""
            return "It signs every new token from then on.", wave, forced
        case "key_deactivated":
            return (f"It stays in the JWKS until {_time(facts.get('publish_until'))} at the latest, for tokens that are about.",)
        case "key_compromised":
            return "It left the JWKS at once, and its tokens are refused.", f"Reason: {facts.get('reason')}"
        case "key_destroyed":
            return ("The key store forgot its private half.",)
        case "key_imported":
            return (f"It was made elsewhere, and is in the JWKS until {_time(facts.get('publish_until'))}.",)
        case "key_adopted":
            return ("The key store has its private half: it signs next.",)
        case "key_discarded":
            return ("An attempt that came to nothing had left it in the key store.",)
        case "policy_changed":
            return (_policy(facts.get("policy")),)
        case "relying_party_registered":
            return (_party(facts.get("relying_party")),)
        case "relying_party_removed":
            return (f"{facts.get('id')}: no rotation waits for it any more.",)
        case "jwks_fetched":
            return (f"{facts.get('relying_party')} was seen to fetch the standby for the first time.",)
        case "approval_requested":
            return (*_order(facts.get("order")), f"Until {_time(facts.get('until'))}, as {facts.get('id')}.")
        case "approval_given":
            return (f"A second person agreed to {facts.get('id')}; it was done in the same moment.",)
        case "approval_withdrawn":
            return f"{facts.get('id')} can't be given any more.", f"Reason: {facts['reason']}" if facts.get("reason") else ""
        case _:
            return ()


def _policy(stored: object) -> str:
    try:
        policy = msgspec.convert(stored, Policy)
    except msgspec.ValidationError:
        return ""
    rhythm = (
        f"New keys are {policy.algorithm.value}, sign for {words(policy.rotation_period)}, published {words(policy.publish_ahead)} ahead."
    )
    return f"{rhythm} Tokens live for at most {words(policy.max_token_lifetime)}. A second person: {dual_control_words(policy)}."


def _party(given: object) -> str:
    if not isinstance(given, Mapping):
        return ""
    return f"{given.get('name')} ({given.get('id')}): rotations wait for it as far as the policy allows."


def _order(given: object) -> tuple[str, ...]:
    if not isinstance(given, Mapping):
        return ()
    asked = _ORDERS.get(str(given.get("command")), "")
    return (asked, f"Key {given['kid']}." if given.get("kid") else "", f"Reason: {given['reason']}" if given.get("reason") else "")


def _time(ms: object) -> str:
    return utc(ms) if isinstance(ms, int) else "a time that is not told"


def _who(principal: str, names: Mapping[str, str]) -> str:
    kind, _, identifier = principal.partition(":")
    if principal in names:
        return f"{names[principal]} ({principal})"
    match kind:
        case "tenantry":
            return "Tenantry itself"
        case "operator":
            return f"An operator ({identifier})"
        case "token":
            return f"A token of the tenant ({identifier})"
        case _:
            return principal
