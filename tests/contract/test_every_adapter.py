"""No adapter of a port without its contract suite."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import keyvault
import streams
from keyvault.key_store import KeyStore
from streams.event_log import EventLog
from streams.search_index import SearchIndex
from tests.contract.event_log import EventLogContract
from tests.contract.key_store import KeyStoreContract
from tests.contract.search_index import SearchIndexContract

SUITES = {EventLog: EventLogContract, KeyStore: KeyStoreContract, SearchIndex: SearchIndexContract}
HERE = Path(__file__).parent


def adapters(port: type) -> set[type]:
    """The classes of the product that subclass the port."""
    for package in (streams, keyvault):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    return set(descendants(port))


def descendants(kind: type) -> Iterator[type]:
    below: type
    for below in kind.__subclasses__():
        if below.__module__.startswith(("streams.", "keyvault.")):
            yield below
        yield from descendants(below)


@pytest.mark.parametrize(("port", "suite"), list(SUITES.items()), ids=lambda kind: kind.__name__)
def test_every_adapter_of_the_port_is_in_its_suite(port: type, suite: type) -> None:
    modules = [
        importlib.import_module(f"tests.contract.{path.stem}") for path in HERE.glob("test_*.py") if path.stem != Path(__file__).stem
    ]
    tested = {
        adapter
        for module in modules
        for _, test in inspect.getmembers(module, inspect.isclass)
        if issubclass(test, suite) and test is not suite
        for _, adapter in inspect.getmembers(module, inspect.isclass)
        if port in adapter.__mro__
    }
    missing = adapters(port) - tested
    assert adapters(port), "there is at least one"
    assert not missing, f"{missing} need a test module in tests/contract that subclasses {suite.__name__}"
