"""What can go wrong with events.

StreamsError
├── InvalidTenantId       a tenant id that no tenant can have
├── LogError
│   ├── Changed           append-if-unchanged: somebody else appended first; look again and decide anew
│   ├── Overtaken         another follower of the group has moved its cursor; what was read is theirs now
│   └── LogUnavailable    the log can't be read or written now (disk full, locked, engine away)
│       ├── AppendInDoubt an append was not answered: what was to be written may be in the log, or not
│       └── LogRefused    the log is not as it must be, and stays so until somebody mends it
├── DecodeError           a raw event that can't become an event; carries the dead letter's reason
├── UnknownSource         there is no source (event format) of this name
├── SourceTaken            another tenant has declared this source
├── ControlError           a control event that this version can't read
├── SegmentError          a record of the tenant log that this version can't read
├── QueryError            a query that can't be run; carries the position and what would be right
├── CursorError           a cursor that was not made by this search of this tenant
└── SearchIndexError
    ├── IndexUnavailable  the index can't be read or written now
    ├── IndexBeingBuilt   another process builds the index anew
    └── IndexMissing      this tenant has no index (yet)

Each message says what happened, to what, and what to do. HTTP appears only in `services.api`.
"""

from __future__ import annotations

from collections.abc import Iterable


class StreamsError(Exception):
    """The root of all errors of `streams`."""


class InvalidTenantId(StreamsError):
    """The text can't be a tenant id."""

    def __init__(self, tenant: str) -> None:
        super().__init__(
            f"{tenant!r} is not a tenant id: use 1 to 63 lower-case letters, digits and hyphens, starting and ending with a letter or digit"
        )


class LogError(StreamsError):
    """The root of the errors of an event log."""


class Changed(LogError):
    """Somebody appended to the key since the caller looked."""

    def __init__(self, stream: str, key: str, expected: int | None, actual: int | None) -> None:
        super().__init__(f"{stream}/{key} has changed: its last record is {actual}, not {expected}; look again and decide anew")
        self.expected = expected
        self.actual = actual


class Overtaken(LogError):
    """Another follower of the same group has moved the cursor."""

    def __init__(self, stream: str, group: str) -> None:
        super().__init__(f"another follower of group {group!r} has moved past this batch of {stream}; drop it and follow anew")


class LogUnavailable(LogError):
    """The log can't be used now. Nothing of the call was written, unless it is an `AppendInDoubt`; try again later."""


class AppendInDoubt(LogUnavailable):
    """The log did not answer whether it has what was to be written, and can't be asked now. It has all of it, or nothing.

    Append the same again only if it does no harm to have it twice, as events with ids do none; else look first.
    """


class LogRefused(LogUnavailable):
    """The log is not as it must be: it would lose or disorder records, or has lost them. Waiting does not help: somebody has to mend it."""


class DecodeError(StreamsError):
    """A raw event that can't become an event.

    `reason` is one of the machine-readable reasons of `streams.dead_letters`; the message is for people.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class UnknownSource(StreamsError):
    """There is no source, that is event format, of this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"there is no source {name!r}; use one of {', '.join(known)}")


class SourceTaken(StreamsError):
    """Another tenant has declared this source, or an operator ignores it. `where` says which, for operators: only they declare."""

    def __init__(self, provider: str, kind: str, value: str, where: str) -> None:
        super().__init__(
            f"the {provider} source with {kind} {value!r} is declared already, {where}; an event has one tenant: remove it there first"
        )


class ControlError(StreamsError):
    """A control event that this version can't read. Going on without it would mean answering from a wrong state."""


class SegmentError(StreamsError):
    """A record of the tenant log that this version can't read."""


class QueryError(StreamsError):
    """A query that can't be run.

    Attributes:
        position: where in the query, as a 0-based character index, or None when it is about the whole query.
        hint: what would be right, or None.
        parameter: what beside the query is wrong, as `since`; None when it is the query.
    """

    def __init__(self, message: str, *, position: int | None = None, hint: str | None = None, parameter: str | None = None) -> None:
        at = f" at position {position}" if position is not None else ""
        super().__init__(f"{message}{at}" + (f"; {hint}" if hint else ""))
        self.position = position
        self.hint = hint
        self.parameter = parameter


class CursorError(StreamsError):
    """A cursor that was not made by this search of this tenant."""

    def __init__(self) -> None:
        super().__init__("this cursor does not belong to this search; start again without it")


class SearchIndexError(StreamsError):
    """The root of the errors of a search index."""


class IndexUnavailable(SearchIndexError):
    """The index can't be used now. Writing again later is safe: the first write of an event wins."""


class IndexBeingBuilt(SearchIndexError):
    """Another process builds the tenant's index anew: two at once would destroy each other's work."""

    def __init__(self, tenant: str) -> None:
        super().__init__(f"the index of tenant {tenant!r} is being built anew by another process; see whether it is still necessary later")


class IndexMissing(SearchIndexError):
    """The tenant has no index."""

    def __init__(self, tenant: str) -> None:
        super().__init__(f"tenant {tenant!r} has no index yet; it is being made: ask again in a moment")
