"""What an installation makes up once and keeps: the key that seals cursors."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

from streams.control_log import ControlEvent, ControlLog, Projection

INSTALLATION: Final = "@installation"
"""The aggregate of the installation itself; no tenant id looks like it."""


class Installation(Projection):
    """Folds `installation_created`."""

    def __init__(self) -> None:
        self.cursor_key = b""

    def apply(self, key: str, event: ControlEvent) -> None:
        """Takes the key of the first start."""
        if key == INSTALLATION and event.type == "installation_created":
            self.cursor_key = bytes.fromhex(event.data["cursor_key"])


async def ensure_installation(control: ControlLog, installation: Installation, now: int) -> None:
    """Makes the key on the first start. All nodes have the same, so a cursor of one is a cursor of all."""

    async def decide() -> Sequence[ControlEvent]:
        if installation.cursor_key:
            return []
        return [ControlEvent(type="installation_created", at=now, by="tenantry", data={"cursor_key": secrets.token_hex(32)})]

    await control.commit(INSTALLATION, decide)
