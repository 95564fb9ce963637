"""The embedded event log: one SQLite file in WAL mode, shared by any number of processes of one machine."""

from streams.log_sqlite.log import SqliteEventLog

__all__ = ["SqliteEventLog"]
