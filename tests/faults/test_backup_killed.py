"""`kill -9` at each step of a backup and of a restore: never half of one under its name, never half of one that a service starts on."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from keyvault.algorithms import Algorithm
from keyvault.key_store import KeyName
from services.backup.make import make
from services.backup.places import Places
from services.backup.restore import restore, verify
from services.engines import open_log, open_store
from services.errors import BackupError, SettingsError
from services.lock import UNFINISHED, DataLock
from services.settings import Settings
from streams.event_log import TENANT_LOG, NewRecord
from streams.scope import TenantScope
from tests import steps

NAMES = [KeyName(TenantScope(tenant), 1, Algorithm.ES256) for tenant in ("acme", "globex")]


@pytest.mark.parametrize("work", ["kill_backups", "kill_backups_that_replace", "kill_restores"])
def test_a_kill_at_any_step_leaves_nothing_half(tmp_path: Path, work: str) -> None:
    assert int(steps.alone(f"tests.faults.test_backup_killed:{work}", tmp_path)) > 5


def fill(home: Path) -> Places:
    """A data directory with a log, keys and a token."""

    async def work() -> None:
        log = await open_log(Settings(data=home))
        await log.append([NewRecord(TENANT_LOG, b"value", key="acme")])
        await log.close()
        store = open_store(Settings(data=home))
        for name in NAMES:
            await store.create(name)
        await store.close()

    asyncio.run(work())
    (home / "operator.token").write_text("token\n")
    return places(home)


def places(home: Path) -> Places:
    return Places.of(Settings(data=home))


def kill_backups(folder: str) -> None:
    """A new backup is there whole, or not at all; the next one goes on as if nothing had been."""
    home, file = fill(Path(folder) / "data"), Path(folder) / "out" / "backup.tar"

    def before() -> None:
        shutil.rmtree(file.parent, ignore_errors=True)
        file.parent.mkdir()

    def after(_: int) -> None:
        if file.exists():
            assert verify(file).keys == len(NAMES)
            file.unlink()
        assert {path.name for path in file.parent.iterdir()} <= {".backup.tar.part", ".backup.tar.log"}
        make(home, file)
        assert [path.name for path in file.parent.iterdir()] == ["backup.tar"]
        assert verify(file).keys == len(NAMES)

    print(steps.at_each(lambda: make(home, file), before, after))


def kill_backups_that_replace(folder: str) -> None:
    """There is always a whole backup, the old one or the new one."""
    home, file = fill(Path(folder) / "data"), Path(folder) / "backup.tar"
    make(home, file)

    def after(_: int) -> None:
        assert verify(file).keys == len(NAMES)

    print(steps.at_each(lambda: make(home, file, replace=True), lambda: None, after))


def kill_restores(folder: str) -> None:
    """All of it is there, or none and it can be done again, or some and no service starts on it."""
    file, home = Path(folder) / "backup.tar", Path(folder) / "there"
    make(fill(Path(folder) / "data"), file)
    outcomes: set[str] = set()

    def after(_: int) -> None:
        whole = {"log.sqlite", "keys", "operator.token"} <= {path.name for path in home.iterdir()} if home.exists() else False
        if (home / UNFINISHED).exists():
            outcomes.add("some")
            with pytest.raises(SettingsError, match="was interrupted; empty it, and restore again"):
                DataLock(home).acquire()
            with pytest.raises(SettingsError, match="was interrupted"):
                restore(places(home), file)
            return
        if whole:
            outcomes.add("all")
            with pytest.raises(BackupError, match="is there already"):
                restore(places(home), file)
        else:
            outcomes.add("none")
            restore(places(home), file)
        assert {path.name for path in home.iterdir()} == {"log.sqlite", "keys", "operator.token", "processor.lock"}

    print(steps.at_each(lambda: restore(places(home), file), lambda: shutil.rmtree(home, ignore_errors=True), after))
    assert outcomes >= {"none", "some"}
