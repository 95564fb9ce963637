"""What the events of an imported key make of it: a part of the ring's fold."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from keyvault.errors import BrokenHistory
from keyvault.events import KeyAdopted, KeyImported
from keyvault.key import Key, KeyState

_IMPORTABLE: Final = frozenset({KeyState.DEACTIVATED, KeyState.PRE_ACTIVATION, KeyState.ACTIVE})


def after(keys: tuple[Key, ...], event: KeyImported | KeyAdopted) -> tuple[Key, ...]:
    """A ring's keys after the event; a new one comes first, as its ordinal is 0.

    Raises:
        BrokenHistory: the event can't follow those before it.
    """
    known = next((key for key in keys if key.kid == event.kid), None)
    key = _published(known, event) if isinstance(event, KeyImported) else _adopted(known, event)
    return (key, *keys) if known is None else tuple(key if other is known else other for other in keys)


def _published(known: Key | None, event: KeyImported) -> Key:
    if known is None:
        return Key(
            kid=event.kid,
            ordinal=0,
            algorithm=event.algorithm,
            jwk=event.jwk,
            state=KeyState.DEACTIVATED,
            published_at=event.at,
            deactivated_at=event.at,
            publish_until=event.publish_until,
            stored=event.private,
            foreign_until=0 if event.private else event.publish_until,
        )
    if not known.imported or known.state not in _IMPORTABLE or known.jwk != event.jwk:
        raise BrokenHistory(f"key {event.kid!r} is {known.state}, or another one, which KeyImported can't follow")
    foreign = known.foreign_until if event.private else max(known.foreign_until, event.publish_until)
    # A key that signs here, or is about to, stays published anyway: its end is asked for once it is deactivated.
    until = max(event.publish_until, known.publish_until or 0) if known.state is KeyState.DEACTIVATED else None
    # One that had left comes back: caches have dropped it since, so it is as new to relying parties as another.
    since = known.published_at if known.published(event.at) else event.at
    return replace(known, published_at=since, publish_until=until, stored=known.stored or event.private, foreign_until=foreign)


def _adopted(key: Key | None, event: KeyAdopted) -> Key:
    if key is None or not key.imported or key.state not in {KeyState.DEACTIVATED, KeyState.PRE_ACTIVATION} or key.activated_at is not None:
        raise BrokenHistory(f"key {event.kid!r} is none that was imported and never signed here, so KeyAdopted can't follow")
    # Beside another standby only for the moment in which it becomes active itself.
    return replace(key, state=KeyState.PRE_ACTIVATION, stored=True, known_since=event.known_since, deactivated_at=None, publish_until=None)
