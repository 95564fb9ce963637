"""The ground on which the pipelines race: a Kafka, an OpenSearch, and the tenants, all of the benchmark's own."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.__main__ import MissingPeerError
from benchmarks.pipeline import tenantry
from benchmarks.pipeline.events import Realm, realms
from benchmarks.pipeline.indexes import Indexes
from benchmarks.pipeline.topic import PARTITIONS, Topic
from streams.event_log import IDP_EVENTS
from streams.log_kafka.names import Names
from tests.servers.cache import Missing
from tests.servers.kafka import Kafka
from tests.servers.opensearch import OpenSearch

_PREFIX = "bench"
_HEAP = "2g"
_SEED = 20261124


@dataclass(frozen=True)
class Ground:
    """What a race needs.

    Attributes:
        realms: one tenant each.
        topic: the raw events.
        indexes: where they end.
        environment: Tenantry's settings.
        directory: for files.
        engines: the servers' process ids, by name.
    """

    realms: Sequence[Realm]
    topic: Topic
    indexes: Indexes
    environment: Mapping[str, str]
    directory: Path
    engines: Mapping[str, Sequence[int]]

    @property
    def seed(self) -> int:
        """What makes the events the same each time."""
        return _SEED


@contextmanager
def ground(tenants: int, *, pooled_from: int | None = None) -> Iterator[Ground]:
    """Servers of its own, with so many tenants; from the number `pooled_from` on they share indexes. All ends with the context.

    Raises:
        MissingPeerError: the servers can't be had here.
    """
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a thousand indexes are tens of thousands of files
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tenantry-pipeline-")))
        try:
            kafka, opensearch = Kafka(), OpenSearch(heap=_HEAP)
        except Missing as error:
            raise MissingPeerError(f"Kafka and OpenSearch are needed: {error}") from error
        stack.enter_context(kafka)
        stack.enter_context(opensearch)
        (directory / "data").mkdir(mode=0o700)
        indexes = Indexes(opensearch, _PREFIX)
        stack.callback(indexes.close)
        environment = {
            "TENANTRY_DATA": str(directory / "data"),
            "TENANTRY_LOG_URL": f"kafka://{kafka.bootstrap}/{_PREFIX}?partitions={PARTITIONS}&replication=1",
            "TENANTRY_INDEX_URL": f"opensearch://{indexes.user}@127.0.0.1:{indexes.port}/{_PREFIX}?tls=true&cafile={indexes.ca}",
            "TENANTRY_OPENSEARCH_PASSWORD": indexes.password,
        }
        of = realms(tenants, _SEED)
        tenantry.create_tenants(environment, of, pooled_from=pooled_from)
        topic = Topic(kafka.bootstrap, Names(_PREFIX).topic(IDP_EVENTS))
        engines = {"opensearch": [opensearch.pid], "kafka": [kafka.pid]}
        yield Ground(of, topic, indexes, environment, directory, engines)
