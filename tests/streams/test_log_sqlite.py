"""What SQLite alone can show: full disks, broken files, trims."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from streams.errors import LogUnavailable
from streams.event_log import IDP_EVENTS, TENANT_LOG, NewRecord
from streams.log_sqlite import SqliteEventLog


def new(value: bytes, stream: str = TENANT_LOG) -> NewRecord:
    return NewRecord(stream, value, "acme")


async def test_a_full_disk_loses_nothing_that_was_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = SqliteEventLog(tmp_path / "log.sqlite")
    await log.append([new(b"before")])
    connect = sqlite3.connect

    def full(*arguments: object, **more: object) -> sqlite3.Connection:
        connection = connect(*arguments, **more)  # type: ignore[call-overload]
        connection.execute("PRAGMA max_page_count=20")  # SQLite then answers SQLITE_FULL, as it does for a full disk
        return connection  # type: ignore[no-any-return]

    await log.close()
    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", full)
        log = SqliteEventLog(tmp_path / "log.sqlite")
        with pytest.raises(LogUnavailable, match="free some disk space"):
            await log.append([new(b"x" * 1000) for _ in range(1000)])
        assert [record.value for record in await log.read(TENANT_LOG)] == [b"before"]
        await log.close()
    log = SqliteEventLog(tmp_path / "log.sqlite")
    await log.append([new(b"after")])
    assert [record.value for record in await log.read(TENANT_LOG)] == [b"before", b"after"]
    await log.close()


async def test_a_file_that_is_no_database_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "log.sqlite").write_bytes(b"this is not a database, and long enough to be seen as none" * 100)
    with pytest.raises(LogUnavailable, match="restore it from a backup"):
        SqliteEventLog(tmp_path / "log.sqlite")


async def test_a_missing_directory_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LogUnavailable, match="directory exists"):
        SqliteEventLog(tmp_path / "nowhere" / "log.sqlite")


async def test_a_trim_removes_what_the_group_has_passed_and_offsets_go_on(tmp_path: Path) -> None:
    now = 1000
    log = SqliteEventLog(tmp_path / "log.sqlite", clock=lambda: now)
    [first, second, third] = await log.append([NewRecord(IDP_EVENTS, value) for value in (b"1", b"2", b"3")])
    assert await log.trim(IDP_EVENTS, group="router", before=5000) == 0, "nobody has passed anything"
    async with log.follow(IDP_EVENTS, "router", max_records=2) as subscription:
        batch = await subscription.next()
        assert batch is not None
        await subscription.advance(batch)
    assert await log.trim(IDP_EVENTS, group="router", before=1000) == 0, "not old enough"
    assert await log.trim(IDP_EVENTS, group="router", before=1001) == 2
    assert [record.offset for record in await log.read(IDP_EVENTS)] == [third.offset]
    [fourth] = await log.append([NewRecord(IDP_EVENTS, b"4")])
    assert fourth.offset == third.offset + 1 == second.offset + 2 == first.offset + 3
    await log.close()


async def test_a_closed_log_refuses(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "log.sqlite")
    await log.close()
    await log.close()
    with pytest.raises(LogUnavailable, match="closed"):
        await log.append([new(b"x")])
    with pytest.raises(LogUnavailable, match="closed"):
        await log.read(TENANT_LOG)


async def test_unknown_streams_are_refused(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "log.sqlite")
    with pytest.raises(ValueError, match="not a stream"):
        await log.append([NewRecord("cursors", b"x")])
    await log.close()


async def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    log = SqliteEventLog(tmp_path / "log.sqlite")
    await log.append([new(b"x")])
    assert modes(tmp_path) == {"log.sqlite": "0o600", "log.sqlite-wal": "0o600", "log.sqlite-shm": "0o600"}
    await log.close()


def modes(directory: Path) -> dict[str, str]:
    return {path.name: oct(path.stat().st_mode & 0o777) for path in directory.iterdir()}


async def test_every_reader_sees_the_same_number_of_appends(tmp_path: Path) -> None:
    """A follower is woken when the number changes, and any reader may be the one that is asked."""
    here, there = SqliteEventLog(tmp_path / "log.sqlite"), SqliteEventLog(tmp_path / "log.sqlite")
    both = threading.Barrier(2)

    def ask(connection: sqlite3.Connection) -> list[object]:
        both.wait(10)  # so that each of the two readers is asked
        return connection.execute(here.APPENDED).fetchone()  # type: ignore[no-any-return]

    seen = []
    for n in range(5):
        for _ in range(3):
            await there.append([new(b"%d" % n)])
            await here.reading(
                lambda connection: connection.execute(here.APPENDED).fetchone()
            )  # one of the two sees this, and not the other
        one, other = await asyncio.gather(here.reading(ask), here.reading(ask))
        assert one == other
        seen.append(one[0])
    assert len(set(seen)) == 5
    await here.close()
    await there.close()
