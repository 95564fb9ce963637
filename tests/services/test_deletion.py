"""Nothing of a deleted tenant stays at a real OpenSearch, whatever was away, and whatever else was asked at the same time."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.access.principal import Principal
from services.access.scopes import Scope
from services.engines import open_direct_access
from services.errors import Conflict
from services.tenants.search_user import SearchUsers
from streams.control_log import ControlEvent
from streams.errors import IndexUnavailable
from streams.event_log import CONTROL
from streams.scope import TenantScope
from tests.faults.chance import chance
from tests.faults.real.busy_opensearch import BusyOpenSearch, busy_opensearch
from tests.platforms import Site, site

PATH = "/v1/tenants/acme"
USER = f"{PATH}/search-user"
ACME = TenantScope("acme")
OPERATOR = Principal("operator:test", "test", None, frozenset(Scope))


@dataclass(frozen=True)
class Remote:
    """An OpenSearch that can be away."""

    server: Any
    way: BusyOpenSearch
    prefix: str
    data: Path

    def site(self) -> AbstractAsyncContextManager[Site]:
        """A platform with its indexes there."""
        url = self.way.url(f"opensearch://{self.server.admin}@x/{self.prefix}")
        return site(self.data, index_url=url, opensearch_password=self.server.password)

    def indexes(self) -> list[str]:
        return [row["index"] for row in self.server.ask("GET", f"_cat/indices/{self.prefix}-t-*?format=json&expand_wildcards=all")]

    def users(self) -> list[str]:
        return [name for name in self.server.ask("GET", "_plugins/_security/api/internalusers") if name.startswith(self.prefix)]


@pytest.fixture
async def remote(tmp_path: Path, opensearch: Any) -> AsyncIterator[Remote]:
    async with busy_opensearch(opensearch, chance()) as way:
        found = Remote(opensearch, way, f"t{secrets.token_hex(6)}", tmp_path / "data")
        yield found
        opensearch.request("DELETE", f"{found.prefix}-*")


async def words(here: Site) -> list[str]:
    """What the control log says of acme's user and its end, in order."""
    events = [msgspec.json.decode(record.value, type=ControlEvent).type for record in await here.records(CONTROL) if record.key == "acme"]
    return [event for event in events if event.startswith("search_user_") or event in {"tenant_deleted", "tenant_forgotten"}]


async def test_a_deletion_that_opensearch_missed_is_finished_by_asking_again(remote: Remote) -> None:
    async with remote.site() as here:
        await here.create("acme")
        assert (await here.operator.put(USER)).status_code == 200
        remote.way.away = True
        assert [(await here.operator.delete(PATH)).status_code for _ in range(2)] == [503, 503]
        assert (await here.operator.get(PATH)).status_code == 404, "deleted it is"
        remote.way.away = False
        assert (len(remote.users()), len(remote.indexes())) == (1, 1)
        assert [(await here.operator.delete(PATH)).status_code for _ in range(2)] == [204, 204]
        assert (remote.users(), remote.indexes()) == ([], [])
        assert await words(here) == ["search_user_granted", "tenant_deleted", "tenant_forgotten"]
        assert (await here.operator.delete("/v1/tenants/nobody")).status_code == 404


@pytest.mark.parametrize(("away", "left"), [("/_plugins/_security", (1, 0)), ("/_aliases", (0, 1))])
async def test_what_can_be_taken_away_is_and_the_rest_at_the_next_start(remote: Remote, away: str, left: tuple[int, int]) -> None:
    async with remote.site() as here:
        await here.create("acme")
        assert (await here.operator.put(USER)).status_code == 200
        remote.way.away = away
        assert (await here.operator.delete(PATH)).status_code == 503
        assert (len(remote.users()), len(remote.indexes())) == left
    remote.way.away = False
    async with remote.site() as here:
        async with here.platform.log.follow(CONTROL, None, start=await here.platform.log.ends(CONTROL)) as waking:
            while here.platform.tenants.unfinished():
                await waking.next(0.02)
        assert (remote.users(), remote.indexes()) == ([], [])
        assert (await words(here))[-1] == "tenant_forgotten"


async def test_a_user_that_is_given_while_its_tenant_is_deleted_is_none(remote: Remote) -> None:
    async with remote.site() as here:
        await here.create("acme")
        given, deleted, again = await asyncio.gather(here.operator.put(USER), here.operator.delete(PATH), here.operator.put(USER))
        assert deleted.status_code == 204
        assert {given.status_code, again.status_code} <= {200, 404, 409, 503}
        assert (await here.operator.put(USER)).status_code == 404
        assert (remote.users(), remote.indexes()) == ([], [])


async def test_a_user_that_the_log_says_was_revoked_is_none_however_many_processes_give_and_revoke(remote: Remote) -> None:
    dice = chance()
    async with remote.site() as here, AsyncExitStack() as stack:
        await here.create("acme")
        access = open_direct_access(here.platform.settings)
        assert access is not None
        stack.push_async_callback(access.close)
        # Each with turns of its own, as two processes have.
        users = [SearchUsers(here.platform.control, here.platform.tenants, access) for _ in range(2)]
        for _ in range(20):
            calls = [call for each in users for call in (each.grant, each.revoke)]
            dice.shuffle(calls)
            done = await asyncio.gather(*(call(ACME, OPERATOR, here.platform.now()) for call in calls), return_exceptions=True)
            # A role that one has just taken away can't be mapped by the other, who is told to ask again.
            assert all(not isinstance(each, BaseException) or isinstance(each, (Conflict, IndexUnavailable)) for each in done), done
            if (await words(here))[-1] == "search_user_revoked":
                assert remote.users() == []
        await here.platform.search_users.revoke(ACME, OPERATOR, here.platform.now())
        assert remote.users() == []
        given = await here.platform.search_users.grant(ACME, OPERATOR, here.platform.now())
        assert remote.users() == [given.user]
