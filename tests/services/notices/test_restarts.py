"""Notices over restarts, over several nodes, and over a compromise in the middle of everything."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from keyvault.key_store import KeyName
from services.notices.notices import Notices
from streams.control_log import ControlEvent, ControlLog
from streams.log_sqlite import SqliteEventLog
from tests.engines import embedded
from tests.platforms import Site, site
from tests.services.notices.parties import ROTATED, Started, compromise, failed, notices, register, rotate, settled, verify
from tests.services.notices.receiver import ACCEPTED, Receiver, answer, hang

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_what_waits_survives_a_restart(started: Started, receiver: Receiver) -> None:
    receiver.on("/", answer(500))
    async with started() as here:
        await here.create("acme")
        await register(here, "web", receiver.url())
        await rotate(here)
        before = await failed(here, "web")
    receiver.on("/", ACCEPTED)
    async with started() as here:
        told = await settled(here, "web", 3)
    assert told[0]["id"] == before.id
    assert told[0]["attempts"] > before.attempts
    assert {one["state"] for one in told} == {"delivered"}
    assert [got.event for got in receiver.got][-3:] == ROTATED


async def test_what_a_stop_cuts_off_is_tried_again_at_the_next_start(started: Started, receiver: Receiver) -> None:
    receiver.on("/", hang, ACCEPTED)
    async with started() as here:
        here.platform.outbound._seconds = 600.0
        await here.create("acme")
        await register(here, "web", receiver.url())
        await rotate(here)
        await receiver.has(1)
    async with started() as here:
        told = await settled(here, "web", 3)
    assert told[0]["attempts"] == 2
    assert [got.event for got in receiver.got] == [ROTATED[0], *ROTATED]
    assert receiver.got[0].claims["jti"] == receiver.got[1].claims["jti"]


async def test_a_restart_repeats_nothing_that_was_taken(started: Started, receiver: Receiver) -> None:
    async with started() as here:
        await here.create("acme")
        await register(here, "web", receiver.url())
        await rotate(here)
        before = await settled(here, "web", 3)
    async with started() as here:
        assert await notices(here, "web") == before
        await rotate(here)
        await settled(here, "web", 6)
    assert len(receiver.got) == 6


@embedded
async def test_what_a_node_that_died_had_claimed_is_sent_when_its_lease_has_ended(
    started: Started, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.on("/", answer(500))
    async with started() as here:
        await here.create("acme")
        await register(here, "web", receiver.url())
        await rotate(here)
        await failed(here, "web")
        now = here.platform.now
    until_ms = now() + 2500
    await _claim_and_die(tmp_path / "data" / "log.sqlite", now(), until_ms)
    receiver.on("/", ACCEPTED)
    tried = len(receiver.got)
    async with started() as here:
        await receiver.has(tried + 1)
        assert now() >= until_ms
        assert {one["state"] for one in await settled(here, "web", 3)} == {"delivered"}


async def _claim_and_die(path: Path, now: int, until_ms: int) -> None:
    log, notices_there = SqliteEventLog(path), Notices()
    control = ControlLog(log, [notices_there])
    await control.start()

    async def decide() -> Sequence[ControlEvent]:
        head = notices_there.head("acme", "web")
        assert head is not None
        data = {"relying_party_id": "web", "id": head.id, "attempt": head.attempts + 1, "until": until_ms}
        return [ControlEvent(type="notice_claimed", at=now, by="tenantry", data=data)]

    await control.commit("acme", decide)
    await control.stop()
    await log.close()


@embedded
async def test_of_two_nodes_one_sends(tmp_path: Path, receiver: Receiver) -> None:
    shared = tmp_path / "shared"
    for directory in (shared, tmp_path / "a", tmp_path / "b"):
        directory.mkdir(mode=0o700)
    common: dict[str, Any] = {
        "log_url": f"sqlite:///{shared}/log.sqlite",
        "keys_url": f"file:///{shared}/keys",
        "master_key_file": shared / "master.key",
        "outbound_allow": "127.0.0.1",
    }
    async with site(tmp_path / "a", **common) as one:
        shutil.copy(tmp_path / "a" / "operator.token", tmp_path / "b" / "operator.token")
        async with site(tmp_path / "b", process=False, **common) as other:
            await one.create("acme")
            for name in ("web", "app", "api"):
                receiver.on(f"/{name}", answer(500), ACCEPTED)
                await register(one, name, receiver.url(f"/{name}"))
            for _ in range(3):
                await rotate(one)
            for name in ("web", "app", "api"):
                assert await settled(one, name, 9) == await settled(other, name, 9)
    times = Counter(got.claims["jti"] for got in receiver.got)
    assert len(times) == 27
    assert sorted(times.values()) == [1] * 24 + [2] * 3, "two only where the first was answered with 500"


async def test_what_failed_before_a_compromise_is_signed_by_another_key_after_it(here: Site, receiver: Receiver) -> None:
    receiver.on("/", answer(500))
    await register(here, "web", receiver.url())
    bad = await rotate(here)
    await failed(here, "web")
    tried = len(receiver.got)
    assert {got.header["kid"] for got in receiver.got} == {bad}
    successor = await compromise(here, bad)
    receiver.on("/", ACCEPTED)
    after = len(receiver.got)
    await settled(here, "web", 6)
    assert {got.header["kid"] for got in receiver.got[after:]} == {successor}
    behind = next(got for got in receiver.got[after:] if got.event != "key-compromised")
    assert behind.claims["jti"] == receiver.got[tried - 1].claims["jti"], "the first in line is the same, but for the compromise"
    for got in receiver.got[after:]:
        await verify(here, got)


async def test_a_key_that_is_compromised_while_it_signs_signs_nothing(
    here: Site, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = here.platform.store
    sign = store.sign
    signed, go_on = asyncio.Event(), asyncio.Event()

    async def slowly(name: KeyName, messages: Sequence[bytes]) -> Sequence[bytes]:
        signatures = await sign(name, messages)
        signed.set()
        await go_on.wait()
        return signatures

    monkeypatch.setattr(store, "sign", slowly)
    await register(here, "web", receiver.url())
    bad = await rotate(here)
    await signed.wait()
    successor = await compromise(here, bad)
    go_on.set()
    await settled(here, "web", 6)
    assert {got.header["kid"] for got in receiver.got} == {successor}


@embedded
async def test_while_nothing_can_sign_it_waits(here: Site, receiver: Receiver, tmp_path: Path) -> None:
    await register(here, "web", receiver.url())
    keys = tmp_path / "data" / "keys"
    standby = here.platform.rings.of("acme").standby
    assert standby is not None
    shutil.move(keys, tmp_path / "away")
    keys.write_text("not a directory")
    await compromise(here, standby.kid)
    notice = await failed(here, "web")
    assert (notice.error, notice.state) == ("not_signed", "waiting")
    keys.unlink()
    shutil.move(tmp_path / "away", keys)
    await settled(here, "web", 1)
    assert receiver.got[0].event == "key-compromised"
