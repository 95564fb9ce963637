"""SQLite keeps the contract of `EventLog`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streams.event_log import EventLog
from streams.log_sqlite import SqliteEventLog
from tests.contract.event_log import EventLogContract, Open
from tests.contract.log_writers import Writers, write


class TestSqliteEventLog(EventLogContract):
    @pytest.fixture
    async def opening(self, tmp_path: Path) -> AsyncIterator[Open]:
        logs: list[EventLog] = []

        async def opened() -> EventLog:
            logs.append(SqliteEventLog(tmp_path / "log.sqlite"))
            return logs[-1]

        yield opened
        for log in logs:
            await log.close()

    @pytest.fixture
    async def writers(self, tmp_path: Path) -> Writers:
        return Writers(__name__, str(tmp_path / "log.sqlite"))


if __name__ == "__main__":
    asyncio.run(write(SqliteEventLog(Path(sys.argv[4])), sys.argv[1], sys.argv[2], int(sys.argv[3])))
