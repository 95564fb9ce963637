"""Commands that were carried out, by their idempotency keys: so that none is carried out twice."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from services.errors import Reused
from streams.control_log import ControlEvent, Projection

_REMEMBERED: Final = 1000
"""Idempotency keys of a tenant that are remembered."""


class Commands(Projection):
    """Which `Idempotency-Key` stood for which command, folded from the control log: so it survives restarts, on every node."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[str, str]] = defaultdict(dict)

    def apply(self, key: str, event: ControlEvent) -> None:
        """Remembers `command`: the command's fingerprint, a line break, the key."""
        if event.command is not None:
            fingerprint, _, name = event.command.partition("\n")
            seen = self._seen[key]
            seen[name] = fingerprint
            if len(seen) > _REMEMBERED:
                del seen[next(iter(seen))]

    def check(self, tenant: str, name: str, fingerprint: str) -> bool:
        """Whether this very command was carried out before.

        Raises:
            Reused: another one was, with the same key.
        """
        known = self._seen[tenant].get(name)
        if known is None:
            return False
        if known != fingerprint:
            raise Reused(f"Idempotency-Key {name!r} was used for another command; take a new key for a new request")
        return True
