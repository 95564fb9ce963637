"""Server-sent events (WHATWG HTML, section 9.2.6), as far as our service writes them: fields on lines that end with LF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Frame(NamedTuple):
    """An event of a stream.

    Attributes:
        id: with which the stream goes on behind it; empty, if it has none.
        event: its type; empty for an event of the log.
        data: its text; empty, if it only moves the id on, or shows that the connection is alive.
    """

    id: str
    event: str
    data: str


def frames(parts: Iterable[bytes]) -> Iterator[Frame]:
    """The whole events in the parts of a body; what the connection has cut is left out.

    Lines are split at LF only: the text of an event may hold other characters that Python takes for line breaks.
    """
    fields: dict[str, list[str]] = {}
    rest = b""
    for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if line:
                name, _, value = line.decode().partition(":")
                fields.setdefault(name, []).append(value.removeprefix(" "))
            elif fields:
                yield Frame(*("\n".join(fields.get(name, ())) for name in Frame._fields))
                fields = {}
