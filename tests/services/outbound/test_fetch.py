"""Fetching from an address that a tenant names: redirects are checked like the address, and an answer is bounded."""

from __future__ import annotations

import pytest

from services.errors import AddressRefused, UnusableAnswer
from services.outbound.allowed import Allowed
from tests.services.notices.receiver import Receiver, answer, endless
from tests.services.outbound.calls import Names, outbound

pytestmark = pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2", "::1"])


async def test_a_fetch_follows_three_redirects_and_no_more(receiver: Receiver) -> None:
    for number in range(5):
        receiver.on(f"/{number}", answer(302, b"", f"Location: /{number + 1}"))
    receiver.on("/5", answer(200, b'{"keys": []}'))
    async with outbound() as client:
        got = await client.fetch(receiver.url("/2"), accept="application/json")
        assert (got.status, got.body) == (200, b'{"keys": []}')
        assert {one.headers["accept"] for one in receiver.got} == {"application/json"}
        with pytest.raises(UnusableAnswer, match="more than 3 times"):
            await client.fetch(receiver.url("/1"))
    assert [one.path for one in receiver.got] == ["/2", "/3", "/4", "/5", "/1", "/2", "/3", "/4"]


@pytest.mark.parametrize(
    "location", ["http://inner.test:{}/x", "//inner.test:{}/x", "ftp://start.test:{}/x", "http://a:b@start.test:{}/x", "http://[::1"]
)
async def test_where_a_redirect_leads_is_checked_the_same_way(receiver: Receiver, location: str) -> None:
    receiver.on("/", answer(302, b"", f"Location: {location.format(receiver.port)}"))
    names = Names({"start.test": [["127.0.0.1"]], "inner.test": [["127.0.0.1"]]})
    async with outbound(Allowed.parse("start.test"), resolve=names) as client:
        with pytest.raises(AddressRefused):
            await client.fetch(f"http://start.test:{receiver.port}/")
    assert [one.path for one in receiver.got] == ["/"]


async def test_a_redirect_that_is_rebound_is_refused(receiver: Receiver) -> None:
    receiver.on("/", answer(302, b"", "Location: /again"))
    names = Names({"start.test": [["127.0.0.1"], ["127.0.0.2"]]})
    async with outbound(Allowed.parse("127.0.0.1"), resolve=names) as client:
        with pytest.raises(AddressRefused):
            await client.fetch(f"http://start.test:{receiver.port}/")
    assert [one.path for one in receiver.got] == ["/"]


async def test_a_fetch_is_bounded_in_size(receiver: Receiver) -> None:
    receiver.on("/fits", answer(200, b"x" * 1000))
    receiver.on("/large", answer(200, b"x" * 1001))
    receiver.on("/endless", endless(200))
    receiver.on("/packed", answer(200, b"\x1f\x8b", "Content-Encoding: gzip"))
    async with outbound() as client:
        assert len((await client.fetch(receiver.url("/fits"), most=1000)).body) == 1000
        for path, problem in (("/large", "more than 1000 bytes"), ("/endless", "more than 1000 bytes"), ("/packed", "compresses")):
            with pytest.raises(UnusableAnswer, match=problem):
                await client.fetch(receiver.url(path), most=1000)
    assert {one.headers["accept-encoding"] for one in receiver.got} == {"identity"}
