"""The ceiling: what OpenSearch takes when nothing has to be done but to send finished requests from memory, grouped by index.

Python's own HTTP client on four connections: at a megabyte a request it costs a hundredth of what the engine spends on the request.
"""

from __future__ import annotations

import base64
import http.client
import ssl
import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from benchmarks.pipeline.events import Made, Realm
from benchmarks.pipeline.indexes import Indexes
from benchmarks.pipeline.tenantry import source_map
from streams.event_log import IDP_EVENTS, Record
from streams.index_opensearch import bulk
from streams.index_opensearch.documents import identity
from streams.index_opensearch.plain import plain
from streams.router import Router
from streams.segment import entries

_CONNECTIONS = 4
_SECONDS = 120
_DOCUMENTS = 4_000
_NOW_MS = 1_800_000_000_000


def bodies(made: Sequence[Made], realms: Sequence[Realm], indexes: Indexes) -> list[bytes]:
    """Finished requests with the documents that Tenantry would write of these events, the events of a tenant all together."""
    tenants: dict[str, list[Made]] = defaultdict(list)
    for event in made:
        tenants[realms[event.realm].id].append(event)
    router = Router(source_map(realms))
    found: list[list[bytes]] = [[]]
    size = 0
    for tenant, events in tenants.items():
        head = bulk.header(indexes.alias(tenant))
        raw = [Record(IDP_EVENTS, 0, number, None, event.value, {}, _NOW_MS) for number, event in enumerate(events)]
        for segment in router.route(raw).outputs:
            for entry in entries(Record(segment.stream, 0, size, tenant, segment.value, {}, _NOW_MS)):
                document = plain(tenant, entry)
                assert document is not None
                if len(found[-1]) >= _DOCUMENTS:
                    found.append([])
                found[-1].append(bulk.line(head, identity(tenant, f"ceiling-{entry.event_id}"), document))
    return [b"".join(lines) for lines in found]


@contextmanager
def sending(indexes: Indexes, requests: Sequence[bytes]) -> Iterator[Sequence[int]]:
    """Sends the requests, in threads of this process, while the context is open; leaving it waits for the answers.

    Raises:
        AssertionError: a document was not written.
    """
    waiting = deque(requests)
    troubles: list[str] = []
    threads = [threading.Thread(target=_send, args=(indexes, waiting, troubles), daemon=True) for _ in range(_CONNECTIONS)]
    for thread in threads:
        thread.start()
    try:
        yield []
    finally:
        waiting.clear()
        for thread in threads:
            thread.join(_SECONDS)
    assert not troubles, troubles[0]


def _send(indexes: Indexes, waiting: deque[bytes], troubles: list[str]) -> None:
    context = ssl.create_default_context(cafile=indexes.ca)
    connection = http.client.HTTPSConnection("127.0.0.1", indexes.port, timeout=_SECONDS, context=context)
    credentials = base64.b64encode(f"{indexes.user}:{indexes.password}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/x-ndjson"}
    try:
        while waiting and not troubles:
            connection.request("POST", "/_bulk?filter_path=errors", waiting.popleft(), headers)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status != 200 or said != b'{"errors":false}':
                troubles.append(f"{answer.status} {said[:500]!r}")
    except (OSError, http.client.HTTPException) as error:
        troubles.append(f"{type(error).__name__}: {error}")
    except IndexError:
        pass  # another thread took the last one
    finally:
        connection.close()
