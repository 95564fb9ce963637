"""Where the parts of an installation are, by its settings: what a backup holds, and what it only names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from services.settings import Settings

LOG: Final = "log.sqlite"
TOKEN: Final = "operator.token"  # noqa: S105 -- the name of its file
KEYS: Final = "keys"


@dataclass(frozen=True, slots=True)
class Places:
    """The parts' places. None: the part is in an engine that has backups of its own.

    Attributes:
        data: the data directory.
        log: the SQLite file of the event log.
        keys: the directory of the encrypted keys.
        index: the directory of the search indexes; never in a backup, since they are built anew from the log.
        token: the file of the operator's token.
        master_key: the file of the master key; never in a backup. None: it is in the environment, or there is none.
        log_engine: the scheme of the log's URL.
        keys_engine: the scheme of the key store's URL.
    """

    data: Path
    log: Path | None
    keys: Path | None
    index: Path | None
    token: Path
    master_key: Path | None
    log_engine: str
    keys_engine: str

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The places that the settings name."""
        log_engine, log = _place(settings.log_url, "sqlite", settings.data / LOG)
        keys_engine, keys = _place(settings.keys_url, "file", settings.data / KEYS)
        _, index = _place(settings.index_url, "file", settings.data / "index")
        file = (settings.master_key_file or settings.data / "master.key") if keys is not None and settings.master_key is None else None
        return cls(settings.data, log, keys, index, settings.operator_token_file, file, log_engine, keys_engine)

    def elsewhere(self) -> list[str]:
        """What a backup of these does not hold, and what to do about it."""
        said = ["The search indexes are not in it: they are built anew from the log."]
        if self.log is None:
            said.append(f"The event log is not in it: it is in {self.log_engine.capitalize()}, whose replicas are its copies.")
        if self.keys is None:
            said.append(f"The keys are not in it: they are in {self.keys_engine.capitalize()}, which has snapshots of its own.")
        elif self.master_key is not None:
            said.append(f"The master key is not in it: keep a copy of {self.master_key} elsewhere, for without it the keys are lost.")
        else:
            said.append("The master key is not in it: keep TENANTRY_MASTER_KEY elsewhere, for without it the keys are lost.")
        return said


def _place(url: str, embedded: str, default: Path) -> tuple[str, Path | None]:
    if not url:
        return embedded, default
    parts = urlsplit(url)
    return parts.scheme, Path(parts.path) if parts.scheme == embedded else None
