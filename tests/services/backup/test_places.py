"""Where the parts of a backup are, by the settings."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from services.backup.make import make
from services.backup.places import Places
from services.backup.restore import restore
from services.errors import BackupError
from services.settings import Settings
from tests.services.backup.backups import fill, left, members, places


def test_another_engine_is_said_and_refused(data: Path, tmp_path: Path) -> None:
    real = places(data, log_url="kafka://127.0.0.1:1/t", index_url="opensearch://127.0.0.1:1/t", keys_url="vault://127.0.0.1:1/t")
    made = make(real, tmp_path / "real.tar")
    assert (made.log, made.keys, made.token) == (None, None, True)
    assert list(members(tmp_path / "real.tar")) == ["tenantry-backup.json", "operator.token", "manifest.json"]
    assert [note.partition(" is")[0] for note in real.elsewhere()[1:]] == [
        "The event log",
        "The keys are not in it: they are in Vault, which has snapshots of its own.",
    ]
    with pytest.raises(BackupError, match="with kafka and vault, and the settings say sqlite and file"):
        restore(places(tmp_path / "there"), tmp_path / "real.tar")
    make(places(data), tmp_path / "embedded.tar")
    there = places(tmp_path / "there", log_url="kafka://127.0.0.1:1/t", keys_url="vault://127.0.0.1:1/t")
    with pytest.raises(BackupError, match="with sqlite and file, and the settings say kafka and vault"):
        restore(there, tmp_path / "embedded.tar")
    restore(there, tmp_path / "real.tar")
    assert left(tmp_path / "there") == ["operator.token"]


def test_parts_that_the_settings_put_elsewhere_are_found_and_put_back_there(tmp_path: Path) -> None:
    def elsewhere(name: str) -> Settings:
        base = tmp_path / name
        return Settings(
            data=base / "data", log_url=f"sqlite://{base}/l/events.db", keys_url=f"file://{base}/k/store", master_key_file=base / "m"
        )

    asyncio.run(fill(elsewhere("one")))
    (tmp_path / "one" / "data").mkdir(exist_ok=True)
    make(Places.of(elsewhere("one")), tmp_path / "backup.tar")
    restore(Places.of(elsewhere("two")), tmp_path / "backup.tar")
    assert left(tmp_path / "two" / "l") == ["events.db"]
    assert left(tmp_path / "two" / "k") == ["store"]
