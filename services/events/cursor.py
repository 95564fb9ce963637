"""Cursors: where a page ended, sealed to the tenant and the search that it belongs to."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Final

import msgspec

from streams.errors import CursorError
from streams.scope import TenantScope
from streams.search_index import Place

_VERSION: Final = 1
_TAG_BYTES: Final = 16


class Cursor(msgspec.Struct, array_like=True, frozen=True):
    """What a cursor holds.

    Attributes:
        version: of this form.
        now: what `now` meant in the search, in epoch milliseconds, so that `now-1h` means the same on every page.
        time: of the last event, in epoch milliseconds.
        position: of the last event.
    """

    version: int
    now: int
    time: int
    position: int

    @property
    def place(self) -> Place:
        """Where the next page begins."""
        return Place(self.time, self.position)


class Seal:
    """Seals the cursors of one tenant and one search with the installation's key.

    What keeps tenants apart is the scope of every call; the seal is there because pages behind the first are not audited, so nobody
    may make up a cursor.
    """

    def __init__(self, key: bytes, scope: TenantScope, search: Sequence[str]) -> None:
        self._key = key
        self._search = msgspec.msgpack.encode([scope.tenant, *search])

    def seal(self, now: int, place: Place) -> str:
        """The cursor as an opaque text, safe in a URL."""
        packed = msgspec.msgpack.encode(Cursor(_VERSION, now, place.time, place.position))
        return base64.urlsafe_b64encode(self._tag(packed) + packed).rstrip(b"=").decode()

    def unseal(self, text: str) -> Cursor:
        """The cursor that `seal` wrote for the same tenant and search.

        Raises:
            CursorError: it is no cursor, or one of another tenant or search.
        """
        try:
            sealed = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except (UnicodeError, binascii.Error) as error:
            raise CursorError from error
        tag, packed = sealed[:_TAG_BYTES], sealed[_TAG_BYTES:]
        if not hmac.compare_digest(tag, self._tag(packed)):
            raise CursorError
        return msgspec.msgpack.decode(packed, type=Cursor)

    def _tag(self, packed: bytes) -> bytes:
        return hmac.digest(self._key, self._search + packed, "sha256")[:_TAG_BYTES]
