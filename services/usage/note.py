"""A note: what a node has counted of a key in a period, as one event of the tenant's own log."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from keyvault.usage import Usage, UsageRecord
from services.audit import PROVIDER
from streams import position as positions
from streams.event import Event, iso
from streams.query.tree import And, Query, Term
from streams.raw_event import OWN
from streams.scope import TenantScope
from streams.segment import Encoded

NOTED: Final = "key_usage"
"""The `event.action` of what was counted in a period."""
SUMMED: Final = "key_usage_summed"
"""The `event.action` of the sum of all notes up to a position, so that nobody has to read them all again."""

_encoder = msgspec.json.Encoder()


class _Details(UsageRecord, frozen=True, kw_only=True, omit_defaults=True):
    """What stands under `idp`.

    Attributes:
        kid: of the key.
        upto: of a sum: the position up to which notes are in it.
    """

    kid: str
    upto: str | None = None


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    id: str = msgspec.field(name="event.id")
    idp: _Details


_decoder = msgspec.json.Decoder(_Document)


@dataclass(frozen=True, slots=True)
class Note:
    """What was counted of a key.

    Attributes:
        id: the event's.
        upto: of a sum: the position up to which notes are in it; None for a note.
    """

    id: str
    kid: str
    usage: Usage
    upto: int | None = None

    @classmethod
    def new(cls, kid: str, usage: Usage, upto: int | None = None) -> Note:
        """One that is to be written."""
        return cls(f"{OWN}{uuid.uuid4().hex}", kid, usage, upto)

    def encode(self, scope: TenantScope, now: int) -> Encoded:
        """The event of the tenant's log."""
        details: Mapping[str, Any] = {**msgspec.to_builtins(self.usage.record()), "kid": self.kid}
        if self.upto is not None:
            details = {**details, "upto": positions.render(self.upto)}
        event = Event(
            timestamp=iso(now),
            id=self.id,
            action=NOTED if self.upto is None else SUMMED,
            category="configuration",
            outcome="success",
            provider=PROVIDER,
            dataset="tenantry.usage",
            ingested=iso(now),
            tenant=scope.tenant,
            user_id="tenantry",
            idp=msgspec.Raw(_encoder.encode(details)),
        )
        return Encoded(self.id, now, _encoder.encode(event))


def read_note(document: bytes) -> Note:
    """The note, or sum, that a found event is.

    Raises:
        ValueError: this version can't read it.
    """
    try:
        found = _decoder.decode(document)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a note of usage that this version knows: {error}") from error
    upto = positions.parse(found.idp.upto) if found.idp.upto is not None else None
    return Note(found.id, found.idp.kid, Usage.of(found.idp), upto)


def notes_of(kid: str, action: str) -> Query:
    """What finds the notes of a key, or its sums."""
    return And((Term("event.provider", PROVIDER), Term("event.action", action), Term("idp.kid", kid)))
