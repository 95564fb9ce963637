"""Receivers that misbehave, each in its way: they are tried again, given up on, and keep nobody else waiting."""

from __future__ import annotations

import asyncio

import pytest

from services.notices import attempt
from tests.platforms import Site
from tests.services.notices.parties import ROTATED, compromise, failed, register, rotate, settled, verify
from tests.services.notices.receiver import ACCEPTED, Behaviour, Receiver, answer, cut_off, endless, hang, receiving

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

UNKNOWN_KEY = answer(400, b'{"err": "invalid_key", "description": "never seen"}', "Content-Type: application/json")
REFUSED = answer(400, b'{"err": "invalid_audience", "description": "not for me"}', "Content-Type: application/json")


@pytest.mark.parametrize(
    ("behaviour", "error", "status"),
    [
        (answer(500), "status", 500),
        (answer(200), "status", 200),
        (answer(429, b"", "Retry-After: 1"), "status", 429),
        (answer(400, b"<html>no error of RFC 8935</html>"), "status", 400),
        (UNKNOWN_KEY, "rejected", 400),
        (answer(307, b"", "Location: /elsewhere"), "redirect", 307),
        (endless(500), "status", 500),
        (cut_off, "unreachable", None),
        (hang, "timeout", None),
    ],
    ids=["500", "200", "429", "400 without an error", "400 as our key is unknown", "redirect", "endless", "cut off", "hangs"],
)
async def test_what_is_not_taken_is_told_again_by_the_same_id(
    here: Site, receiver: Receiver, behaviour: Behaviour, error: str, status: int | None
) -> None:
    if behaviour is hang:
        here.platform.outbound._seconds = 1.0
    receiver.on("/", behaviour, ACCEPTED)
    await register(here, "web", receiver.url())
    failure = asyncio.create_task(failed(here, "web"))
    await rotate(here)
    notice = await failure
    here.platform.outbound._seconds = 60.0
    assert (notice.error, notice.status, notice.attempts, notice.state) == (error, status, 1, "waiting")
    assert notice.next_at > notice.at
    told = await settled(here, "web", 3)
    assert [one["attempts"] for one in told] == [2, 1, 1]
    assert {one["state"] for one in told} == {"delivered"}
    assert [got.event for got in receiver.got] == [ROTATED[0], *ROTATED]
    assert receiver.got[0].claims["jti"] == receiver.got[1].claims["jti"]
    assert receiver.on_path("/elsewhere") == []


async def test_an_endless_answer_that_takes_the_notice_takes_it(here: Site, receiver: Receiver) -> None:
    receiver.on("/", endless(202))
    await register(here, "web", receiver.url())
    await rotate(here)
    assert {one["state"] for one in await settled(here, "web", 3)} == {"delivered"}
    assert len(receiver.got) == 3


async def test_an_error_of_rfc_8935_is_final_and_the_next_notice_goes_on(here: Site, receiver: Receiver) -> None:
    receiver.on("/", REFUSED, ACCEPTED)
    await register(here, "web", receiver.url())
    await rotate(here)
    told = await settled(here, "web", 3)
    assert [(one["state"], one["error"], one["attempts"]) for one in told] == [
        ("abandoned", "rejected", 1),
        ("delivered", None, 1),
        ("delivered", None, 1),
    ]
    assert [got.event for got in receiver.got] == ROTATED
    abandoned = [record.value for record in await here.records("control") if b"notice_abandoned" in record.value]
    assert len(abandoned) == 1
    assert b"invalid_audience" in abandoned[0]
    assert b"not for me" not in abandoned[0]


async def test_who_does_not_listen_is_told_when_they_do(here: Site) -> None:
    async with receiving() as before:
        port = before.port
    await register(here, "web", f"http://127.0.0.1:{port}/")
    await rotate(here)
    assert (await failed(here, "web")).error == "unreachable"
    async with receiving(port) as receiver:
        assert {one["state"] for one in await settled(here, "web", 3)} == {"delivered"}
        assert [got.event for got in receiver.got] == ROTATED


async def test_one_that_hangs_keeps_no_other_waiting(here: Site, receiver: Receiver) -> None:
    here.platform.outbound._seconds = 600.0
    await here.create("globex")
    receiver.on("/dead", hang)
    for name in (f"dead{number}" for number in range(5)):
        await register(here, name, receiver.url("/dead"))
    await register(here, "web", receiver.url("/acme"))
    await register(here, "web", receiver.url("/globex"), tenant="globex")
    await rotate(here)
    await receiver.has(5, "/dead")
    await rotate(here, "globex")
    assert {one["state"] for one in await settled(here, "web", 3)} == {"delivered"}
    assert {one["state"] for one in await settled(here, "web", 3, "globex")} == {"delivered"}
    assert len(receiver.on_path("/dead")) == 5, "still at the first notice of each"


async def test_after_a_day_it_is_given_up(here: Site, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt, "GIVE_UP_AFTER", 0)
    receiver.on("/", answer(500), answer(500), UNKNOWN_KEY)
    await register(here, "web", receiver.url())
    await rotate(here)
    told = await settled(here, "web", 3)
    errors = ("status", "status", "rejected")
    assert [(one["state"], one["error"], one["attempts"]) for one in told] == [("abandoned", error, 1) for error in errors]
    receiver.on("/", ACCEPTED)
    await rotate(here)
    assert [one["state"] for one in await settled(here, "web", 6)][3:] == ["delivered"] * 3


async def test_a_compromise_does_not_wait_for_the_next_try_of_what_is_before_it(here: Site, receiver: Receiver) -> None:
    receiver.on("/", answer(503, b"", "Retry-After: 3600"), ACCEPTED)
    await register(here, "web", receiver.url())
    active = await rotate(here)
    await failed(here, "web")
    await compromise(here, active)
    told = await settled(here, "web", 6)
    assert {one["state"] for one in told} == {"delivered"}
    assert [got.event for got in receiver.got][:5] == [ROTATED[0], "key-compromised", *ROTATED]


async def test_a_compromise_does_not_wait_until_what_is_before_it_is_taken(here: Site, receiver: Receiver) -> None:
    receiver.on("/", answer(503, b"", "Retry-After: 3600"))
    await register(here, "web", receiver.url())
    active = await rotate(here)
    await failed(here, "web")
    await compromise(here, active)
    assert [one.event for one in (await receiver.has(2))[:2]] == [ROTATED[0], "key-compromised"]


async def test_a_new_webhook_is_told_at_once_and_none_abandons_what_waits(here: Site, receiver: Receiver) -> None:
    receiver.on("/old", answer(503, b"", "Retry-After: 3600"))
    await register(here, "web", receiver.url("/old"))
    await register(here, "tired", receiver.url("/old"))
    await rotate(here)
    await failed(here, "web")
    await failed(here, "tired")
    await register(here, "web", receiver.url("/new"))
    await register(here, "tired", None)
    assert {one["state"] for one in await settled(here, "web", 3)} == {"delivered"}
    assert {(one["state"], one["error"]) for one in await settled(here, "tired", 3)} == {("abandoned", "no_webhook")}
    for got in receiver.on_path("/new"):
        await verify(here, got)
