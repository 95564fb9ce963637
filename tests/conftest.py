"""What all tests share: no setting of the machine reaches them, real servers, and who is missing says so loudly."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import engines

# How long anything takes is the machine's affair: the first strings alone can take seconds, until Hypothesis has its tables.
settings.register_profile("tenantry", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tenantry")

pytest_plugins = ["tests.servers.fixtures"]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("TENANTRY_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=engines.REAL)
def _real_engines(kafka: Any, opensearch: Any, openbao: Any) -> None:
    engines.use(kafka, opensearch, openbao)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --keycloak` runs the tests on a real Keycloak, too."""
    parser.addoption("--keycloak", action="store_true", help="run the tests on a real Keycloak, too: it is fetched, 180 MB")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Whoever asks for a real server may talk to it; whoever asks for a Keycloak is left out, unless it was asked for."""
    from tests.servers.fixtures import FIXTURES  # noqa: PLC0415 -- pytest rewrites its assertions when it loads it as a plugin

    for item in items:
        if isinstance(item, pytest.Function) and set(FIXTURES) & set(item.fixturenames):
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1", "localhost"]))
    if not config.getoption("--keycloak"):
        left_out = [item for item in items if isinstance(item, pytest.Function) and "keycloak" in item.fixturenames]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker (pytest-xdist) tells the process that it works for which servers were not to be had."""
    from tests.servers.fixtures import MISSING  # noqa: PLC0415

    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["missing"] = MISSING


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes what a worker tells."""
    from tests.servers.fixtures import MISSING  # noqa: PLC0415

    MISSING.update(getattr(node, "workeroutput", {}).get("missing", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each server that was not to be had."""
    from tests.servers.fixtures import MISSING  # noqa: PLC0415

    for name, why in MISSING.items():
        terminalreporter.write_line(f"NO {name.upper()}: ITS TESTS WERE SKIPPED: {why.splitlines()[0]}", red=True, bold=True)
