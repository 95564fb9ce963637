"""A notice: what one relying party is to be told of one key event."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from keyvault import base64url
from keyvault.security_event import SecurityEventType

TOLD: Final[Mapping[str, SecurityEventType]] = MappingProxyType(
    {
        "key_prepared": SecurityEventType.KEY_PREPARED,
        "key_activated": SecurityEventType.KEY_ACTIVATED,
        "key_deactivated": SecurityEventType.KEY_DEACTIVATED,
        "key_compromised": SecurityEventType.KEY_COMPROMISED,
        "key_imported": SecurityEventType.KEY_IMPORTED,
        "key_adopted": SecurityEventType.KEY_PREPARED,
    }
)
"""The key events that relying parties are told of, by their type in the control log."""

_ID_BYTES: Final = 24


class NoticeState(StrEnum):
    """Where a notice stands."""

    WAITING = "waiting"
    """It is sent, or tried again, when its time has come and those before it are done."""
    DELIVERED = "delivered"
    """The relying party has taken it."""
    ABANDONED = "abandoned"
    """It will not be sent any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A notice, after what has been tried. Times are epoch milliseconds.

    Attributes:
        id: the `jti` of its tokens: the same at each attempt, on each node, and after each restart.
        event: the type of the key event in the control log.
        kid: of the key.
        at: when the event was.
        next_at: when it may be tried next.
        attempts: how many have begun.
        claimed_until: until when the node that has begun the last one may be at it; 0 if none is.
        error: what the last attempt failed of, for programs; None if it did not.
        status: the HTTP status of the last answer, if there was one.
        ended_at: since when it is delivered or abandoned.
    """

    id: str
    event: str
    kid: str
    at: int
    next_at: int
    attempts: int = 0
    claimed_until: int = 0
    error: str | None = None
    status: int | None = None
    state: NoticeState = NoticeState.WAITING
    ended_at: int | None = None

    @property
    def urgent(self) -> bool:
        """Whether it waits for no other: a key that is not to be trusted any more."""
        return self.event == "key_compromised"

    @property
    def due_at(self) -> int:
        """When somebody should try it next."""
        return max(self.next_at, self.claimed_until)

    def claim(self, until: int) -> Notice:
        """The notice with another attempt begun, which nobody else may make before `until`."""
        return replace(self, attempts=self.attempts + 1, claimed_until=until)


def notice_id(tenant: str, relying_party: str, event: str, kid: str, at: int) -> str:
    """The id of a notice, made of nothing but what the control log says."""
    text = "\n".join((tenant, relying_party, event, kid, str(at)))
    return base64url.encode(hashlib.sha256(text.encode()).digest()[:_ID_BYTES])
