"""What the tests of backups share: a filled directory, and looks into files and folders."""

from __future__ import annotations

import tarfile
from pathlib import Path

from keyvault.algorithms import Algorithm
from keyvault.key_store import KeyName
from services.backup.places import Places
from services.engines import open_log, open_store
from services.settings import Settings
from streams.event_log import TENANT_LOG, NewRecord
from streams.scope import TenantScope

KEY = KeyName(TenantScope("acme"), 1, Algorithm.ES256)


async def fill(settings: Settings) -> None:
    log = await open_log(settings)
    await log.append([NewRecord(TENANT_LOG, b"value", key="acme")])
    await log.close()
    store = open_store(settings)
    await store.create(KEY)
    await store.close()


def places(data: Path, **more: object) -> Places:
    return Places.of(Settings.model_validate({"data": data, **more}))


def members(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as tar:
        return {name: content.read() for name in tar.getnames() if (content := tar.extractfile(name)) is not None}


def left(folder: Path) -> list[str]:
    """The names in a folder, but the lock, which is no data."""
    return sorted(path.name for path in folder.iterdir() if path.name != "processor.lock") if folder.exists() else []
