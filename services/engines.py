"""The one place that picks adapters: each port's, by the scheme of its URL in the settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from keyvault.key_store import KeyStore
from keyvault.store_file import FileKeyStore
from services.errors import SettingsError
from services.settings import Settings
from streams.direct_access import DirectAccess
from streams.event_log import EventLog
from streams.index_tantivy.index import TantivyIndex
from streams.log_sqlite import SqliteEventLog
from streams.search_index import SearchIndex

if TYPE_CHECKING:
    from streams.log_kafka import KafkaConnection

# The clients of the real engines take a second to import, and most commands need none of them: they are imported where a URL names them.

_PRIVATE: Final = 0o700


def shared(settings: Settings) -> bool:
    """Whether the log is Kafka, which any number of processes follow together."""
    return urlsplit(settings.log_url).scheme == "kafka"


def alone(settings: Settings) -> bool:
    """Whether one process at a time may route and index, because an embedded engine of this data directory has one writer."""
    return not (shared(settings) and urlsplit(settings.index_url).scheme == "opensearch")


async def open_log(settings: Settings) -> EventLog:
    """The event log of the settings.

    Raises:
        SettingsError: TENANTRY_LOG_URL names none.
        LogRefused: it is not as it must be.
        LogUnavailable: it can't be opened now.
    """
    if shared(settings):
        from streams.log_kafka import KafkaEventLog  # noqa: PLC0415

        return await KafkaEventLog.open(_kafka(settings))
    path = _path("LOG", settings.log_url, "sqlite:///absolute/path or kafka://host:9092/prefix", settings.data / "log.sqlite")
    _make(path.parent)
    return SqliteEventLog(path)


async def log_to_come(settings: Settings) -> str | None:
    """What opening the log of the settings would make on a Kafka for good, in words, or None if there is nothing to make; looks only.

    Raises:
        SettingsError: TENANTRY_LOG_URL names none.
        LogRefused: the log is not as it must be.
        LogUnavailable: Kafka is away.
    """
    if not shared(settings):
        return None
    from streams.log_kafka import KafkaEventLog  # noqa: PLC0415

    return await KafkaEventLog.to_come(_kafka(settings))


def open_index(settings: Settings) -> SearchIndex:
    """The search index of the settings.

    Raises:
        SettingsError: TENANTRY_INDEX_URL names none.
    """
    if urlsplit(settings.index_url).scheme == "opensearch":
        from streams.index_opensearch import OpenSearchConnection, OpenSearchIndex  # noqa: PLC0415

        try:
            return OpenSearchIndex(OpenSearchConnection.from_url(settings.index_url, settings.secret("opensearch_password") or ""))
        except ValueError as error:
            raise SettingsError(f"TENANTRY_INDEX_URL: {error}") from error
    path = _path("INDEX", settings.index_url, "file:///absolute/path or opensearch://user@host:9200/prefix", settings.data / "index")
    _make(path)
    return TantivyIndex(path)


def open_direct_access(settings: Settings) -> DirectAccess | None:
    """Whoever gives tenants users of their own at the search engine of the settings, if it has users.

    Raises:
        SettingsError: TENANTRY_INDEX_URL is not right.
    """
    if urlsplit(settings.index_url).scheme != "opensearch":
        return None
    from streams.index_opensearch import OpenSearchConnection  # noqa: PLC0415
    from streams.index_opensearch.access import TenantAccess  # noqa: PLC0415

    try:
        return TenantAccess(OpenSearchConnection.from_url(settings.index_url, settings.secret("opensearch_password") or ""))
    except ValueError as error:
        raise SettingsError(f"TENANTRY_INDEX_URL: {error}") from error


def open_store(settings: Settings) -> KeyStore:
    """The key store of the settings.

    Raises:
        SettingsError: TENANTRY_KEYS_URL names none.
        MasterKeyError: the master key is missing, or does not fit.
        KeyStoreUnavailable: it can't be opened.
    """
    if urlsplit(settings.keys_url).scheme == "vault":
        from keyvault.store_vault import VaultConnection, VaultKeyStore  # noqa: PLC0415

        try:
            connection = VaultConnection.from_url(
                settings.keys_url,
                token=settings.secret("vault_token"),
                role_id=settings.vault_role_id or None,
                secret_id=settings.secret("vault_secret_id"),
            )
        except ValueError as error:
            raise SettingsError(f"TENANTRY_KEYS_URL: {error}") from error
        return VaultKeyStore(connection)
    path = _path("KEYS", settings.keys_url, "file:///absolute/path or vault://host:8200/mount", settings.data / "keys")
    _make(path.parent)
    text = settings.master_key.get_secret_value() if settings.master_key is not None else None
    return FileKeyStore.open(path, master_key_file=settings.master_key_file or settings.data / "master.key", master_key_text=text)


def make_data(settings: Settings) -> None:
    """Makes the data directory: even with real engines, the operator's token is left there.

    Raises:
        SettingsError: it can't be made, or written.
    """
    _make(settings.data)


def _kafka(settings: Settings) -> KafkaConnection:
    from streams.log_kafka import KafkaConnection  # noqa: PLC0415

    try:
        return KafkaConnection.from_url(settings.log_url, settings.secret("kafka_password"))
    except ValueError as error:
        raise SettingsError(f"TENANTRY_LOG_URL: {error}") from error


def _path(name: str, url: str, wanted: str, default: Path) -> Path:
    if not url:
        return default
    parts = urlsplit(url)
    if parts.scheme != wanted.partition(":")[0] or parts.netloc or not parts.path:
        raise SettingsError(f"TENANTRY_{name}_URL: {parts.scheme or url!r} is not known here; write {wanted}")
    return Path(parts.path)


def _make(directory: Path) -> None:
    try:
        directory.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"TENANTRY_DATA: {directory} can't be made ({error.strerror}); name a writable directory") from error
    if not os.access(directory, os.W_OK):
        raise SettingsError(f"TENANTRY_DATA: {directory} is not writable; name another directory")
