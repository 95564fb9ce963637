"""Nodes of the service on this machine: one, embedded, or several that share a Kafka and an OpenSearch of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.__main__ import MissingPeerError
from benchmarks.service import Served, served
from tests.servers.cache import Missing
from tests.servers.kafka import Kafka
from tests.servers.opensearch import OpenSearch


@contextmanager
def nodes(count: int, directory: Path, **settings: str) -> Iterator[Sequence[Served]]:
    """So many, which answer, with these settings (`TENANTRY_…`) besides; the first has the operator's token in `directory/node-0`.

    All ends with the context.

    Raises:
        MissingPeerError: the engines that several nodes share can't be had here.
    """
    with ExitStack() as stack:
        shared = _engines(stack) if count > 1 else {}
        yield [stack.enter_context(served(directory / f"node-{number}", sample=False, **shared, **settings)) for number in range(count)]


def _engines(stack: ExitStack) -> dict[str, str]:
    try:
        kafka, opensearch = Kafka(), OpenSearch()
    except Missing as error:
        raise MissingPeerError(f"Kafka and OpenSearch are needed for several nodes: {error}") from error
    stack.enter_context(kafka)
    stack.enter_context(opensearch)
    index = f"opensearch://{opensearch.admin}@127.0.0.1:{opensearch.port}/bench?tls=true&cafile={opensearch.ca}"
    return {
        "TENANTRY_LOG_URL": f"kafka://{kafka.bootstrap}/bench?partitions=1&replication=1",
        "TENANTRY_INDEX_URL": index,
        "TENANTRY_OPENSEARCH_PASSWORD": opensearch.password,
    }
