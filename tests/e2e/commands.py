"""What the tests of the command line share."""

from __future__ import annotations

from typing import Final

from tests.processes import Service

HOSTILE: Final = "\x1b[2J\x1b]0;owned\x07 \u202eadmin\u202c \r\n2026-11-23T10:00:00.000Z  login  success  root\t\x9b31m\u2028\x7f\u200b"
"""Clears the screen, names the window, turns the reading direction, and pretends to be a line of its own."""


async def ran(here: Service, *arguments: str) -> str:
    """What a command prints that succeeds."""
    result = await here.run(*arguments)
    assert (result.code, result.err) == (0, "")
    return result.out
