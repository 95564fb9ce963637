"""Structured logs: one JSON object a line on the standard error, or readable lines at a terminal."""

from __future__ import annotations

import json
import logging
import sys
from typing import Final

import structlog

_NOISY: Final = ("aiokafka", "faust", "mode")


def configure() -> None:
    """Sets structlog up for a service. Libraries' warnings come through the same lines."""
    structlog.configure(
        processors=processors(terminal=sys.stderr.isatty()),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    for name in _NOISY:
        # A line for each connection that they try; what matters of it we say ourselves.
        logging.getLogger(name).setLevel(logging.CRITICAL)


def processors(*, terminal: bool) -> list[structlog.typing.Processor]:
    """What makes a line of an entry: readable for a terminal, else JSON."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    if terminal:
        return [*shared, _not_obeyed, structlog.dev.ConsoleRenderer(colors=True)]
    return [*shared, structlog.processors.JSONRenderer()]  # which escapes all but ASCII


def _not_obeyed(_logger: object, _method: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The entry with escapes in place of what a terminal would obey: the path of a request, or an error's words, may be an attacker's."""
    return {name: _shown(value, lines=name == "exception") if isinstance(value, str) else value for name, value in entry.items()}


def _shown(text: str, *, lines: bool) -> str:
    return "".join(c if c.isprintable() or (lines and c == "\n") else json.dumps(c)[1:-1] for c in text)
