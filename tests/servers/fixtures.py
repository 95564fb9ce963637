"""Fixtures of real servers: each started once for a session, or those that `make servers` keeps up; a test isolates itself by a prefix."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
from pytest_socket import enable_socket

from tests.servers import cache, kept
from tests.servers import chromium as chromium_program
from tests.servers.kafka import Kafka
from tests.servers.openbao import OpenBao
from tests.servers.opensearch import OpenSearch

T = TypeVar("T")
FIXTURES: Final = ("kafka", "opensearch", "openbao", "chromium")
MISSING: dict[str, str] = {}
"""The servers that tests asked for in vain, and why; told in one loud line at the end."""


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka | kept.Kept]:
    """A running Kafka, shared: take a prefix of your own."""
    with _shared("kafka", Kafka) as server:
        yield server


@pytest.fixture(scope="session")
def opensearch() -> Iterator[OpenSearch | kept.Kept]:
    """A running OpenSearch with security, shared: take a prefix of your own."""
    with _shared("opensearch", OpenSearch) as server:
        yield server


@pytest.fixture(scope="session")
def openbao() -> Iterator[OpenBao | kept.Kept]:
    """A running OpenBao, unsealed, shared: take a mount of your own."""
    with _shared("openbao", OpenBao) as server:
        yield server


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The program of a Chromium, for `tests/browser`."""
    return made(chromium_program.fetch, "chromium")


def made(make: Callable[[], T], name: str = "a server") -> T:
    """The server that `make` makes; skips the test where it can't be fetched, and fails it in CI."""
    try:
        return make()
    except cache.Missing as error:
        MISSING[name] = str(error)
        if os.environ.get("CI") == "true":
            pytest.fail(f"no {name}: {error}; CI needs it")
        pytest.skip(f"no {name}: {error}")


@contextmanager
def _shared(name: str, kind: Any) -> Iterator[Any]:
    if (found := kept.find(name)) is not None:
        yield found
        return
    enable_socket()  # the test that asks first may have no sockets; it has asked for a server, so it may
    with made(kind, name) as server:
        yield server
