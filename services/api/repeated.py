"""Requests for a JWKS as they came over the wire, and what each of them asks: the same bytes ask the same again."""

from __future__ import annotations

from typing import Final, NamedTuple

MOST: Final = 1_000
"""Requests that are remembered."""
LONGEST: Final = 1_000
"""Bytes of one of them."""


class Asked(NamedTuple):
    """The tenant whose JWKS is asked for, and the `Host` header."""

    tenant: str
    host: bytes


class Repeated:
    """Remembers what requests have asked, and not what was answered: a tenant, its keys and its domains may change between two of them."""

    def __init__(self) -> None:
        self._known: dict[bytes, Asked] = {}

    def find(self, request: bytes) -> Asked | None:
        """What the request asks, if it came before."""
        return self._known.get(request)

    def keep(self, request: bytes, asks: Asked) -> None:
        """Remembers it; once there are too many, all others are forgotten, and those that matter soon come again."""
        if len(request) > LONGEST:
            return
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[request] = asks
