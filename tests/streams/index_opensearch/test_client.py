"""The way to OpenSearch: hosts that are away, strangers, requests that are too large or come at a bad time; and no secret in any error."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest

from streams.errors import IndexUnavailable
from streams.index_opensearch import OpenSearchConnection, OpenSearchIndex
from tests.contract.index_suite import ACME, ALL, GLOBEX, event
from tests.faults.chance import chance
from tests.faults.real.busy_opensearch import BusyOpenSearch, busy_opensearch
from tests.servers import certificates
from tests.servers.opensearch import OpenSearch
from tests.servers.process import free_port
from tests.streams.index_opensearch.engine import Here, on


@pytest.fixture
async def here(opensearch: OpenSearch) -> AsyncIterator[Here]:
    async with on(opensearch) as here:
        await here.index.prepare(ACME)
        yield here


async def refused(connection: OpenSearchConnection) -> str:
    """What an index says that can't be asked."""
    index = OpenSearchIndex(connection)
    said = []
    for call in (index.check(ACME), index.count(ACME, ALL), index.write({ACME: [event(1)]}), index.prepare(ACME), index.drop(ACME)):
        with pytest.raises(IndexUnavailable) as error:
            await call
        said.append(str(error.value))
    await index.close()
    assert connection.password not in "".join(said)
    return said[0]


async def test_asks_another_host_when_one_is_away(here: Here) -> None:
    found = here.connection
    index = OpenSearchIndex(dataclasses.replace(found, hosts=(("127.0.0.1", free_port()), *found.hosts, ("127.0.0.1", free_port()))))
    for number in range(10):
        assert (await index.write({ACME: [event(number)]}))[ACME].indexed == 1
    assert (await index.get(ACME, "e9")) is not None
    await index.close()


async def test_says_that_nobody_is_there(here: Here) -> None:
    port = free_port()
    assert f"127.0.0.1:{port} can't be reached" in await refused(dataclasses.replace(here.connection, hosts=(("127.0.0.1", port),)))


async def test_says_that_a_password_is_wrong(here: Here) -> None:
    assert "401" in await refused(dataclasses.replace(here.connection, password="wrong"))


async def test_trusts_no_other_authority(here: Here, tmp_path: Any) -> None:
    assert "certificate" in await refused(dataclasses.replace(here.connection, cafile=certificates.write(tmp_path)))


async def test_what_speaks_no_tls_is_not_talked_to(here: Here) -> None:
    assert "can't be reached" in await refused(dataclasses.replace(here.connection, tls=False, cafile=None))


async def through(way: BusyOpenSearch, here: Here, answers: Any) -> OpenSearchIndex:
    """An index on the way, which answers bulk requests so; None hands them on."""
    forward = way._answer

    async def answer(scope: Any, body: bytes) -> tuple[int, str, bytes]:
        status = answers(body) if scope["path"] == "/_bulk" else None
        return await forward(scope, body) if status is None else (status, "application/json", b'{"error":{"type":"made_up"}}')

    way._answer = answer  # type: ignore[method-assign]
    return OpenSearchIndex(OpenSearchConnection.from_url(way.url(f"opensearch://admin@there/{here.prefix}"), here.server.password))


async def test_halves_what_is_too_large(here: Here) -> None:
    async with busy_opensearch(here.server, chance()) as way:
        index = await through(way, here, lambda body: 413 if len(body) > 20_000 else None)
        batch = [*(event(number, user_name="x" * 1000) for number in range(100)), event(100, message="x" * 30_000)]

        written = (await index.write({ACME: batch}))[ACME]

        assert written.indexed == 100
        assert [one.entry.event_id for one in written.rejected] == ["e100"]
        assert "too large" in written.rejected[0].reason
        await index.close()


async def test_tries_again_what_comes_at_a_bad_time(here: Here) -> None:
    async with busy_opensearch(here.server, chance()) as way:
        answers = iter([429, 503])
        index = await through(way, here, lambda _: next(answers, None))
        assert (await index.write({ACME: [event(1)]}))[ACME].indexed == 1
        await index.close()


async def test_gives_up_when_the_time_stays_bad(here: Here) -> None:
    async with busy_opensearch(here.server, chance()) as way:
        index = await through(way, here, lambda _: 429)
        await index.prepare(GLOBEX)
        with pytest.raises(IndexUnavailable, match="too busy"):
            await index.write({ACME: [event(1)]})
        await index.close()
