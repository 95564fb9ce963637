"""What relying parties are told, and how they are asked for it: against a receiver that behaves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from streams.event_log import NewRecord, Record
from tests.platforms import Site, site
from tests.services.notices.parties import ROTATED, compromise, failed, register, remove, rotate, settled, verify
from tests.services.notices.receiver import Receiver, answer

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_a_rotation_is_told_in_its_order_by_tokens_that_verify(here: Site, receiver: Receiver) -> None:
    await register(here, "web", receiver.url("/hook"))
    active = await rotate(here)
    told = await settled(here, "web", 3)
    got = receiver.on_path("/hook")
    assert [one.event for one in got] == ROTATED
    assert [one.claims["jti"] for one in got] == [notice["id"] for notice in told]
    for one, notice in zip(got, told, strict=True):
        await verify(here, one)
        assert (one.method, one.headers["content-type"], one.headers["accept"]) == ("POST", "application/secevent+jwt", "application/json")
        assert one.header["kid"] == active
        assert one.claims["iss"] == f"{here.platform.settings.issuer_base}/t/acme"
        assert one.claims["aud"] == "web"
        assert not {"exp", "sub"} & set(one.claims)
        [(uri, about)] = one.claims["events"].items()
        assert (notice["event"], notice["kid"], notice["state"]) == (uri, about["kid"], "delivered")
        assert (notice["attempts"], notice["status"], notice["error"], notice["next_attempt_at"]) == (1, 202, None, None)


async def test_a_compromise_is_told_without_its_reason(here: Site, receiver: Receiver) -> None:
    await register(here, "web", receiver.url())
    bad = here.platform.rings.of("acme").active
    assert bad is not None
    successor = await compromise(here, bad.kid)
    await settled(here, "web", 3)
    assert [one.event for one in receiver.got] == ["key-compromised", "key-activated", "key-prepared"]
    first = receiver.got[0]
    [about] = first.claims["events"].values()
    assert (about["kid"], first.header["kid"]) == (bad.kid, successor)
    assert about["compromised_at"] == first.claims["toe"]
    assert "secret reason" not in str([one.claims for one in receiver.got])


async def test_who_has_no_webhook_then_is_not_told(here: Site, receiver: Receiver) -> None:
    await register(here, "silent", None)
    await register(here, "gone", receiver.url("/gone"))
    await remove(here, "gone")
    await rotate(here)
    await register(here, "late", receiver.url("/late"))
    await register(here, "silent", receiver.url("/silent"))
    await rotate(here)
    for name in ("late", "silent"):
        assert len(await settled(here, name, 3)) == 3
        assert len(receiver.on_path(f"/{name}")) == 3
    assert receiver.on_path("/gone") == []


@pytest.mark.parametrize("status", [202, 500])
async def test_what_is_under_way_to_a_webhook_that_is_changed_is_told_to_the_new_one(here: Site, receiver: Receiver, status: int) -> None:
    go_on = asyncio.Event()

    async def late(writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        await answer(status)(writer)

    receiver.on("/old", late)
    await register(here, "web", receiver.url("/old"))
    await rotate(here)
    await receiver.has(1, "/old")
    await register(here, "web", receiver.url("/new"))
    go_on.set()
    told = await settled(here, "web", 3)
    assert [one.event for one in receiver.on_path("/new")] == ROTATED
    assert len(receiver.on_path("/old")) == 1
    assert [one["attempts"] for one in told] == [2, 1, 1]
    assert {one["state"] for one in told} == {"delivered"}


async def test_each_tenant_tells_its_own(here: Site, receiver: Receiver) -> None:
    await here.create("globex")
    await register(here, "web", receiver.url("/acme"))
    await register(here, "web", receiver.url("/globex"), tenant="globex")
    await rotate(here)
    await rotate(here, "globex")
    await settled(here, "web", 3)
    await settled(here, "web", 3, "globex")
    for tenant in ("acme", "globex"):
        for got in receiver.on_path(f"/{tenant}"):
            assert got.claims["iss"].endswith(f"/t/{tenant}")
            await verify(here, got, tenant)
    assert len({got.claims["jti"] for got in receiver.got}) == len(receiver.got) == 6


async def test_a_notice_costs_less_than_an_append_of_its_own_for_its_claim(
    here: Site, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"rp{number}" for number in range(6)]
    for name in names:
        await register(here, name, receiver.url(f"/{name}"))
    append, appends = here.platform.log.append_if_unchanged, []

    async def counted(records: Sequence[NewRecord], *, last: int | None) -> Sequence[Record]:
        if b'"notice_' in records[0].value:
            appends.append(len(records))
        return await append(records, last=last)

    monkeypatch.setattr(here.platform.log, "append_if_unchanged", counted)
    await rotate(here)
    for name in names:
        assert {(one["state"], one["attempts"]) for one in await settled(here, name, 3)} == {("delivered", 1)}
    assert sum(appends) == 6 * 3 * 2, "a claim and an outcome of each"
    assert len(appends) <= 6 * 4, "only the first claim of a line may be alone"


async def test_notices_are_for_holders_of_keys_read(here: Site, receiver: Receiver) -> None:
    await here.create("globex")
    await register(here, "web", receiver.url("/s3cret-path"))
    path = "/v1/tenants/acme/relying-parties/web/notices"
    assert (await here.client(None).get(path)).status_code == 401
    async with await here.token("acme", "events:read") as reader:
        assert (await reader.get(path)).status_code == 403
    async with await here.token("globex", "keys:read") as stranger:
        assert (await stranger.get(path)).status_code == 404
    async with await here.token("acme", "keys:read") as reader:
        await rotate(here)
        await settled(here, "web", 3)
        answer = await reader.get(path)
        assert len(answer.json()["notices"]) == 3
        assert "s3cret" not in answer.text
        unknown = await reader.get("/v1/tenants/acme/relying-parties/nobody/notices")
        assert (unknown.status_code, unknown.json()["type"].rpartition("/")[2]) == (404, "not-found")
        assert (await reader.get(path, params={"since": "now"})).status_code == 400


async def test_notices_are_events_in_the_tenants_log_and_claims_are_not(here: Site, receiver: Receiver) -> None:
    await register(here, "web", receiver.url())
    await rotate(here)
    await settled(here, "web", 3)
    await here.settled()
    answer = await here.operator.get("/v1/tenants/acme/events/counts", params={"q": "event.action:notice_*", "by": "event.action"})
    assert answer.json()["buckets"] == [{"value": "notice_delivered", "count": 3}]


async def test_a_webhook_that_is_not_public_is_never_called_and_its_path_never_logged(tmp_path: Path, receiver: Receiver) -> None:
    async with site(tmp_path / "data") as here:
        await here.create("acme")
        with capture_logs() as said:
            await register(here, "web", receiver.url("/s3cret-path"))
            await rotate(here)
            notice = await failed(here, "web")
    assert (notice.error, notice.state, notice.status) == ("address_refused", "waiting", None)
    assert receiver.got == []
    assert "notice_failed" in {line["event"] for line in said}
    assert "s3cret" not in str(said)


async def test_a_deleted_tenant_tells_nobody(here: Site, receiver: Receiver) -> None:
    await register(here, "web", receiver.url())
    assert (await here.operator.delete("/v1/tenants/acme")).status_code == 204
    assert here.platform.notices.of("acme", "web") is None
    assert list(here.platform.notices.waiting()) == []
