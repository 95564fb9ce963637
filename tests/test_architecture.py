"""The architecture, checked on the syntax trees: who may make a scope, who knows an engine, what every error becomes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from keyvault import errors as key_errors
from services import errors as edge_errors
from services.api.problems import NEVER_AT_THE_EDGE, PROBLEMS, problem
from streams import errors as stream_errors

ROOT = Path(__file__).parents[1]
PACKAGES = ("streams", "keyvault", "dashboards", "services")

SCOPE_MAKERS = {
    "services/access/principal.py": "it has authenticated the caller",
    "services/api/tenants.py": "an operator creates a tenant, which nobody can enter yet",
    "services/audit.py": "a processor: the control log's key is the tenant",
    "services/parts.py": "at start, for each tenant of the control log",
    "services/preparation.py": "at start, for each tenant of the control log",
    "services/answering.py": "looks for what no tenant has, to see whether the engines answer",
    "services/cli/replay.py": "an operator at the machine itself, who can read every file anyway",
    "services/events/file_ingest.py": "counts an ingest run of an operator at the machine itself",
    "services/keys/scheduler.py": "for each tenant of the control log",
    "services/notices/courier.py": "for each tenant of the control log",
    "services/sample/load.py": "creates the sample tenants",
    "streams/processors/index.py": "a processor: the segment's key is the tenant",
    "streams/processors/catch_up.py": "a processor: the tenant of a backlog",
    "streams/router.py": "writes each tenant's segments",
}
"""Whoever else makes a `TenantScope` bypasses access."""

ENGINES: dict[str, str | tuple[str, ...]] = {
    "sqlite3": "streams/log_sqlite/",
    "aiokafka": "streams/log_kafka/",
    "cramjam": "streams/log_kafka/",
    "faust": "services/worker/",
    "mode": "services/worker/",
    "tantivy": "streams/index_tantivy/",
    "pyarrow": "services/events/parquet_file.py",
    "opensearchpy": "streams/index_opensearch/",
    "luqum": "streams/query/",
    "apscheduler": "services/clockwork.py",
    "fastapi": "services/api/",
    "starlette": "services/api/",
    "uvicorn": ("services/server.py", "services/api/published_protocol.py"),
    "aiohttp": ("keyvault/store_vault/", "streams/index_opensearch/"),
    "typer": "services/cli/",
    "httpx": ("services/cli/client.py", "services/outbound/"),
    "httpcore": "services/outbound/",
    "cryptography": "keyvault/",
    "hvac": "keyvault/store_vault/",
    "requests": "keyvault/store_vault/",
}
"""The one place that knows each engine."""


def sources() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def test_only_access_and_the_processors_make_scopes() -> None:
    makers = {
        name
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "TenantScope"
    }
    assert makers == set(SCOPE_MAKERS)


def test_each_engine_is_known_in_one_place() -> None:
    strangers = {
        f"{name} imports {engine}"
        for name, tree in sources()
        for engine in imported(tree)
        if engine in ENGINES and not name.startswith(ENGINES[engine])
    }
    assert strangers == set()


def test_what_is_private_to_a_library_is_used_where_nothing_else_will_do() -> None:
    users = {name for name, _ in sources() for line in (ROOT / name).read_text().splitlines() if "noqa: SLF001 --" in line}
    assert users <= {"streams/log_kafka/consumer.py", "streams/log_kafka/producer.py"}, "ask the library's maintainers for another way"


def test_files_are_short() -> None:
    lengths = {name: (ROOT / name).read_text().count("\n") for name, _ in sources()}
    assert {name: length for name, length in lengths.items() if length > 250} == {}


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def leaves(root: type[Exception]) -> Iterator[type[Exception]]:
    below = root.__subclasses__()
    for kind in below:
        yield from leaves(kind)
    if not below:
        yield root


@pytest.mark.parametrize("root", [stream_errors.StreamsError, key_errors.KeyVaultError, edge_errors.ServicesError])
def test_every_error_becomes_a_problem_or_is_known_never_to_reach_a_request(root: type[Exception]) -> None:
    for kind in leaves(root):
        mapped = problem(kind.__new__(kind)) is not None
        assert mapped != (kind in NEVER_AT_THE_EDGE), f"{kind.__name__} must be in one of the tables of services.api.problems"


def test_the_table_of_problems_has_no_stranger() -> None:
    assert not set(PROBLEMS) & NEVER_AT_THE_EDGE


def test_the_error_trees_are_drawn_in_full() -> None:
    for module, root in (
        (stream_errors, stream_errors.StreamsError),
        (key_errors, key_errors.KeyVaultError),
        (edge_errors, edge_errors.ServicesError),
    ):
        drawn = module.__doc__ or ""
        assert [kind.__name__ for kind in leaves(root) if kind.__module__ == module.__name__ and kind.__name__ not in drawn] == []
