"""Live tails when something is wrong: what passes is told and waited for, and what does not ends them."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.errors import Unauthenticated
from services.events import live_tails, search
from services.events.search import Question
from streams.errors import ControlError, IndexUnavailable, QueryError
from streams.scope import TenantScope
from tests.daemon import PATIENCE
from tests.platforms import Site, site
from tests.processes import OWN
from tests.served import listening
from tests.services.live_tails.tails import send, status

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_an_index_that_is_away_is_told_and_waited_for(acme: Site, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_tails, "_TROUBLE_SECONDS", 0.05)
    await send(acme, "e1")
    await acme.settled()

    async def away(*_: Any, **__: Any) -> Any:
        raise IndexUnavailable("a test has taken it away")

    with monkeypatch.context() as patched:
        patched.setattr(acme.platform.index, "tail", away)
        async with listening(client, q=OWN) as stream:
            problem = await stream.problem()
            assert (problem["status"], problem["detail"]) == (503, "a test has taken it away")
            patched.undo()
            assert (await stream.event())["event.id"] == "e1"


async def test_that_a_trouble_is_over_is_told_though_nothing_is_found(
    acme: Site, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_tails, "_TROUBLE_SECONDS", 0.05)
    await send(acme, "e1")
    await acme.settled()

    async def away(*_: Any, **__: Any) -> Any:
        raise IndexUnavailable("a test has taken it away")

    with monkeypatch.context() as patched:
        patched.setattr(acme.platform.index, "tail", away)
        async with listening(client, q="user.name:nobody") as stream:
            assert (await stream.problem())["status"] == 503
            patched.undo()
            while (frame := await stream.frame()).get("event") != "recovered":
                assert "data" not in frame, "nothing is found"


async def test_an_empty_last_event_id_is_none(acme: Site, client: httpx.AsyncClient) -> None:
    await send(acme, "e1")
    await acme.settled()
    async with listening(client, last="", q=OWN, after="latest") as stream:
        await stream.frame()
        await send(acme, "e2")
        assert (await stream.event())["event.id"] == "e2"


async def test_a_log_that_is_not_heard_of_is_told_to_every_stream(
    acme: Site, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_tails, "_TROUBLE_SECONDS", 0.05)

    async def hang(*_: Any) -> int:
        await asyncio.Event().wait()
        raise AssertionError

    async with listening(client, q=OWN) as one, listening(client, q=OWN) as other:
        with monkeypatch.context() as patched:
            patched.setattr(search, "_HEARD_SECONDS", 0.05)
            patched.setattr(acme.platform.processor, "indexed_up_to", hang)
            for stream in (one, other):
                problem = await stream.problem()
                assert (problem["status"], "not heard" in problem["detail"]) == (503, True)
            answer = await client.get("/v1/tenants/acme/events", params={"q": OWN})
            assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (503, "log-unavailable")
        await send(acme, "e1")
        for stream in (one, other):
            assert (await stream.event())["event.id"] == "e1"


@pytest.mark.parametrize(("error", "status"), [(QueryError("too many words"), 400), (ControlError("of a later version"), 503)])
async def test_a_stream_that_can_never_go_on_says_why_and_ends(
    acme: Site, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    async def never(*_: Any, **__: Any) -> Any:
        raise error

    async with listening(client, q=OWN) as stream:
        await stream.frame()
        monkeypatch.setattr(acme.platform.index, "tail", never)
        await send(acme, "e1")
        problem = await stream.problem()
        assert (problem["status"], problem["detail"]) == (status, str(error))
        assert await stream.ended()


async def test_a_stream_ends_with_its_token_and_its_tenant(acme: Site, client: httpx.AsyncClient) -> None:
    reader = await acme.token("acme", "events:read")
    async with reader, httpx.AsyncClient(base_url=client.base_url, headers=reader.headers) as holder:
        async with listening(holder, q=OWN) as stream:
            await stream.frame()
            [token] = (await acme.operator.get("/v1/tenants/acme/tokens")).json()["tokens"]
            assert (await acme.operator.delete(f"/v1/tenants/acme/tokens/{token['id']}")).status_code in {200, 204}
            assert (await stream.problem())["status"] == 401
            assert await stream.ended()
        assert (await status(holder, last=stream.id, q=OWN))[0] == 401
    async with listening(client, "globex", q=OWN) as stream:
        await stream.frame()
        await acme.operator.delete("/v1/tenants/globex")
        while (problem := await stream.problem())["status"] == 503:  # its index may be gone first
            pass
        assert problem["status"] == 404
        assert await stream.ended()


@pytest.mark.parametrize("during", ["wait", "read"])
async def test_nothing_is_handed_out_for_a_token_that_ends_while_it_is_read(
    acme: Site, monkeypatch: pytest.MonkeyPatch, during: str
) -> None:
    await send(acme, "e1")
    await acme.settled()
    asked, ended = acme.platform.search, False
    owner, name = (asked, "complete_up_to") if during == "wait" else (acme.platform.index, "tail")
    real = getattr(owner, name)

    async def ending(*args: Any, **kwargs: Any) -> Any:
        nonlocal ended
        ended = True
        return await real(*args, **kwargs)

    def check() -> None:
        if ended:
            raise Unauthenticated("it was revoked meanwhile")

    following = await asked.tailing(TenantScope("acme"), Question(OWN), now=acme.platform.now(), after="")
    monkeypatch.setattr(owner, name, ending)
    async with aclosing(acme.platform.live_tails.follow(following, check)) as news:
        with pytest.raises(Unauthenticated):
            await anext(news)


async def test_a_service_that_stops_ends_its_streams(acme: Site, client: httpx.AsyncClient) -> None:
    async with listening(client, q=OWN) as stream:
        await stream.frame()
        acme.platform.live_tails.close()
        assert await stream.ended(), "in order, and not by a broken connection"


async def test_what_is_asked_for_a_tail_that_has_gone_ends_before_the_index_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a connection that is made meanwhile to OpenSearch would be nobody's."""
    asking, ended = asyncio.Event(), False

    async def complete_up_to(_: TenantScope) -> int:
        nonlocal ended
        asking.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended = True
        return 0

    async with site(tmp_path / "data") as here, asyncio.timeout(PATIENCE):
        monkeypatch.setattr(here.platform.search, "complete_up_to", complete_up_to)
        gone = asyncio.create_task(here.platform.live_tails._complete_up_to(TenantScope("acme"), wait=True))
        await asking.wait()
        gone.cancel()
        await asyncio.wait({gone})
        assert not ended, "others may wait for it"
    assert ended
