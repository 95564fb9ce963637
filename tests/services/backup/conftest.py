"""A data directory for each test of backups."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from services.settings import Settings
from tests.services.backup.backups import fill


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with a record, a key, a token, and an index."""
    data = tmp_path / "data"
    asyncio.run(fill(Settings(data=data)))
    (data / "operator.token").write_text("a token\n")
    (data / "index" / "acme").mkdir(parents=True)
    (data / "processor.lock").touch()
    return data
