"""Files of events: what an export looks like to whoever opens it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final, Protocol

import msgspec

from streams.fields import FIELDS
from streams.search_index import Hit

_MANY: Final = frozenset({"tags"})
"""Fields that have several values."""


class ExportFile(Protocol):
    """Writes events to a file, piece by piece; the pieces in their order are the file.

    Attributes:
        media_type: of HTTP.
        suffix: of the file's name, without the dot.
    """

    media_type: ClassVar[str]
    suffix: ClassVar[str]

    def begin(self) -> bytes:
        """What stands before the first event."""
        ...

    def more(self, hits: Sequence[Hit]) -> bytes:
        """What the next events add. It may be nothing yet. It takes its time: call it in a thread."""
        ...

    def end(self) -> bytes:
        """What stands behind the last event."""
        ...


class NdjsonFile(ExportFile):
    """One event a line, as the document that every other answer of the API has: byte for byte."""

    media_type = "application/x-ndjson"
    suffix = "ndjson"

    def begin(self) -> bytes:
        """Nothing."""
        return b""

    def more(self, hits: Sequence[Hit]) -> bytes:
        """Their documents. They were encoded once, in the router, on one line each."""
        return b"".join(hit.document + b"\n" for hit in hits)

    def end(self) -> bytes:
        """Nothing."""
        return b""


_Row: Any = msgspec.defstruct(
    "_Row",
    [
        (f"field{number}", msgspec.Raw if field.name == "idp" else list[str] | None if field.name in _MANY else str | None, None)
        for number, field in enumerate(FIELDS)
    ],
    rename={f"field{number}": field.name for number, field in enumerate(FIELDS)},
    gc=False,
)
_decode: Final = msgspec.json.Decoder(_Row).decode

Row = tuple[Any, ...]
"""An event's values in the order of `streams.fields.FIELDS`: texts, `tags` as a list, None for what it has not, `idp` as JSON."""


def rows(hits: Sequence[Hit]) -> list[Row]:
    """The events as rows."""
    return [tuple(bytes(value).decode() if isinstance(value, msgspec.Raw) else value for value in _values(hit)) for hit in hits]


def _values(hit: Hit) -> Row:
    values: Row = msgspec.structs.astuple(_decode(hit.document))
    return values
