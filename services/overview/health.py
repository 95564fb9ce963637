"""The health of the parts: what `tenantry doctor` asks of each, which the running service asks, too."""

from __future__ import annotations

import asyncio
import difflib
import os
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from keyvault.key_store import KeyStore
from services.answering import PATIENCE_SECONDS, index_answers, store_answers
from services.backup.places import Places
from services.errors import SettingsError
from services.settings import Settings
from streams.control_log import ControlLog
from streams.event_log import CONTROL, STREAMS, EventLog
from streams.search_index import SearchIndex

_PREFIX: Final = "TENANTRY_"
_LOW_BYTES: Final = 1 << 30
_SOON_SECONDS: Final = 5.0
"""How long an engine may take to answer somebody who waits for a page."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of a part.

    Attributes:
        check: what it is called.
        ok: whether it is well.
        detail: what it says; if it is not well, what is wrong and what to do.
        where: the place or address; empty if it has none.
    """

    check: str
    ok: bool
    detail: str
    where: str = ""


async def find(check: str, look: Callable[[], Awaitable[str]], *, where: str = "", seconds: float = PATIENCE_SECONDS) -> Finding:
    """The finding of a look: whatever it raises is one, and so is that it takes too long."""
    try:
        async with asyncio.timeout(seconds):
            return Finding(check, ok=True, detail=await look(), where=where)
    except TimeoutError:
        return Finding(check, ok=False, detail=f"it does not answer within {seconds:.0f} s", where=where)
    except Exception as error:  # noqa: BLE001 -- whatever is wrong is a finding
        return Finding(check, ok=False, detail=str(error) or type(error).__name__, where=where)


def place(url: str, embedded: Path | None) -> str:
    """Where an engine is, without what its URL says about users."""
    if embedded is not None:
        return str(embedded)
    parts = urlsplit(url)
    return f"{parts.scheme} at {parts.netloc.rpartition('@')[2]}{parts.path}"


async def known_settings() -> str:
    """Which settings are given.

    Raises:
        SettingsError: a variable is none, which nothing else would tell of.
    """
    known = [f"{_PREFIX}{name.upper()}" for name in Settings.model_fields]
    given = [name for name in os.environ if name.startswith(_PREFIX)]
    for name in given:
        if name not in known:
            meant = "; ".join(f"did you mean {like}?" for like in difflib.get_close_matches(name, known, n=1))
            raise SettingsError(f"{name} is none; {meant or 'see docs/settings.md'}")
    return ", ".join(sorted(given)) or "the defaults"


async def data_directory(settings: Settings, places: Places) -> str:
    """How much room the data directory has.

    Raises:
        OSError: it is not there, or nearly full.
    """
    if not settings.data.is_dir():
        if places.log is places.index is places.keys is None:
            return f"{settings.data} is not there yet; `tenantry serve` makes it for the operator's token"
        raise FileNotFoundError(f"{settings.data} is not there; `tenantry serve` makes it, or set TENANTRY_DATA")
    free = shutil.disk_usage(settings.data).free
    if free < _LOW_BYTES:
        raise OSError(f"only {free >> 20} MiB are free in {settings.data}; free some before writes fail")
    return f"{settings.data}, {free >> 30} GiB free"


async def log_ends(log: EventLog) -> str:
    """Where the streams end.

    Raises:
        LogUnavailable: the log does not answer; the message says what to do.
    """
    counts = [f"{stream} {sum((await log.ends(stream)).values())}" for stream in STREAMS]
    await log.read(CONTROL, limit=1)
    return "ends at " + ", ".join(counts)


async def health(settings: Settings, log: EventLog, control: ControlLog, index: SearchIndex, store: KeyStore) -> tuple[Finding, ...]:
    """The findings of the running service, of all engines at once: one that hangs keeps no other from being told."""
    places = Places.of(settings)

    async def followed() -> str:
        await control.catch_up()
        return "is followed to its end"

    async def answers(question: Awaitable[None]) -> str:
        await question
        return "answers"

    return tuple(
        await asyncio.gather(
            find("settings", known_settings),
            find("data directory", lambda: data_directory(settings, places)),
            find("event log", lambda: log_ends(log), where=place(settings.log_url, places.log), seconds=_SOON_SECONDS),
            find("control log", followed, seconds=_SOON_SECONDS),
            find(
                "search index",
                lambda: answers(index_answers(index)),
                where=place(settings.index_url, places.index),
                seconds=_SOON_SECONDS,
            ),
            find("key store", lambda: answers(store_answers(store)), where=place(settings.keys_url, places.keys), seconds=_SOON_SECONDS),
        )
    )
