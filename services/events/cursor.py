"""Cursors: where a page ended, sealed to the tenant and the search that it belongs to."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from streams.errors import CursorError
from streams.scope import TenantScope
from streams.search_index import Place

_VERSION: Final = 1


class Cursor(msgspec.Struct, array_like=True, frozen=True):
    """What a cursor holds.

    Attributes:
        fingerprint: of the tenant and the search, so that a cursor can't be used for others.
        now: what `now` meant in the search, in epoch milliseconds, so that `now-1h` means the same on every page.
        time: of the last event, in epoch milliseconds.
        position: of the last event.
    """

    version: int
    fingerprint: bytes
    now: int
    time: int
    position: int

    @property
    def place(self) -> Place:
        """Where the next page begins."""
        return Place(self.time, self.position)


def fingerprint(scope: TenantScope, search: Sequence[str]) -> bytes:
    """Names the tenant and the search. It guards against mistakes; what keeps tenants apart is the scope of every call."""
    return hashlib.sha256(msgspec.msgpack.encode([scope.tenant, *search])).digest()[:12]


def seal(mark: bytes, now: int, place: Place) -> str:
    """The cursor as an opaque text, safe in a URL."""
    packed = msgspec.msgpack.encode(Cursor(_VERSION, mark, now, place.time, place.position))
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def unseal(text: str, mark: bytes) -> Cursor:
    """The cursor that `seal` wrote for the same tenant and search.

    Raises:
        CursorError: it is no cursor, or one of another tenant or search.
    """
    try:
        packed = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        cursor = msgspec.msgpack.decode(packed, type=Cursor)
    except (UnicodeError, binascii.Error, msgspec.MsgspecError) as error:
        raise CursorError from error
    if cursor.version != _VERSION or cursor.fingerprint != mark:
        raise CursorError
    return cursor
