"""What the events of an imported key make of it: a part of the ring's fold."""

from __future__ import annotations

from dataclasses import replace

from keyvault.errors import BrokenHistory
from keyvault.events import KeyAdopted, KeyImported
from keyvault.key import Key, KeyState


def published(known: Key | None, event: KeyImported) -> Key:
    """The key after `KeyImported`; `known` is the ring's key with its `kid`, if there is one.

    Raises:
        BrokenHistory: that is another key, or one that signs.
    """
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
        )
    if not known.imported or known.state is not KeyState.DEACTIVATED or known.jwk != event.jwk:
        raise BrokenHistory(f"key {event.kid!r} is {known.state}, or another one, which KeyImported can't follow")
    until = max(event.publish_until, known.publish_until or 0)
    return replace(known, publish_until=until, stored=known.stored or event.private)


def adopted(key: Key, event: KeyAdopted) -> Key:
    """The key after `KeyAdopted`: the standby, beside another one only for the moment in which it becomes active itself.

    Raises:
        BrokenHistory: it was made here, or has signed here before.
    """
    if not key.imported or key.activated_at is not None:
        raise BrokenHistory(f"key {event.kid!r} is none that was imported and never signed here, so KeyAdopted can't follow")
    return replace(key, state=KeyState.PRE_ACTIVATION, stored=True, known_since=event.known_since, deactivated_at=None, publish_until=None)
