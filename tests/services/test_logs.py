"""Lines of the log: whatever is in them, a terminal obeys none of it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import structlog

from services.logs import processors

HOSTILE = "/v1/tenants/\x1b]0;owned\x07\x9b31m\u202e\r\n2026-11-23 [info] all is well"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def line(entry: dict[str, Any], *, terminal: bool) -> str:
    """The line of an error."""
    made: Any = entry
    for processor in processors(terminal=terminal):
        made = processor(None, "error", made)
    assert isinstance(made, str)
    return made


@pytest.mark.parametrize("terminal", [True, False])
def test_a_terminal_obeys_nothing_of_what_is_logged(terminal: bool) -> None:
    written = COLOURS.sub("", line({"event": f"failed {HOSTILE}", "route": HOSTILE, "words": [HOSTILE]}, terminal=terminal))
    assert written.isprintable(), "it is one line, and as it stands"
    assert written.count("all is well") == 3


def test_an_error_keeps_its_lines_and_nothing_else() -> None:
    with pytest.raises(ValueError, match="tenants") as caught:
        int(HOSTILE)
    written = COLOURS.sub("", line({"event": "failed", "exc_info": ExceptionGroup(HOSTILE, [caught.value])}, terminal=True))
    assert "Traceback" in written
    assert "\n" in written
    assert all(part.isprintable() for part in written.split("\n"))


def test_without_a_terminal_it_is_the_same_for_a_program() -> None:
    assert json.loads(line({"event": "failed", "route": HOSTILE}, terminal=False))["route"] == HOSTILE
    assert isinstance(processors(terminal=True)[-1], structlog.dev.ConsoleRenderer)
