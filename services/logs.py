"""Structured logs: one JSON object a line on the standard error, or readable lines at a terminal."""

from __future__ import annotations

import logging
import sys
from typing import Final

import structlog

_NOISY: Final = ("aiokafka", "faust", "mode")


def configure() -> None:
    """Sets structlog up for a service. Libraries' warnings come through the same lines."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=True) if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    for name in _NOISY:
        # A line for each connection that they try; what matters of it we say ourselves.
        logging.getLogger(name).setLevel(logging.CRITICAL)
