"""How far a backup or restore is."""

from __future__ import annotations


class Progress:
    """Is told what is done; this one shows nothing."""

    def expect(self, what: str, total: int) -> None:
        """Something begins, of so many steps (bytes or pages)."""

    def advance(self, count: int) -> None:
        """So many more steps of it are done."""
