"""Jobs at their time; a stop is no error of theirs."""

from __future__ import annotations

import asyncio
import logging

import pytest

from services.clockwork import Clockwork


@pytest.mark.parametrize("begun", [True, False])
async def test_a_job_that_a_stop_cuts_off_is_no_error(caplog: pytest.LogCaptureFixture, begun: bool) -> None:
    clockwork = Clockwork()
    started = asyncio.Event()

    async def job() -> None:
        started.set()
        await asyncio.Event().wait()

    clockwork.start()
    clockwork.at("job", 0, job)
    if begun:
        await started.wait()
    else:
        clockwork._scheduler._process_jobs()
        clockwork._scheduler._executors["default"].shutdown()  # which `stop` does a turn of the event loop later
    clockwork.stop()
    for _ in range(5):
        await asyncio.sleep(0)
    assert started.is_set() is begun
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_job_that_fails_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    clockwork = Clockwork()
    failed = asyncio.Event()

    async def job() -> None:
        failed.set()
        raise ValueError("as it happens")

    clockwork.start()
    clockwork.at("job", 0, job)
    await failed.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    clockwork.stop()
    assert any(record.levelno >= logging.ERROR for record in caplog.records)
