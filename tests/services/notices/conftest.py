"""A receiver of pushed events for each test, and a platform that may call it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from tests.platforms import Site, site
from tests.services.notices.parties import Started
from tests.services.notices.receiver import Receiver, receiving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
def started(tmp_path: Path) -> Started:
    """Starts a platform, always on the same directory."""
    return partial(site, tmp_path / "data", outbound_allow="127.0.0.0/8")


@pytest.fixture
async def here(started: Started) -> AsyncIterator[Site]:
    async with started() as running:
        await running.create("acme")
        yield running
