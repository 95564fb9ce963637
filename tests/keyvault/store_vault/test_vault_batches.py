"""What is to be signed while requests are under way goes into the next one. Vault is a function here, which answers when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from keyvault.errors import KeyStoreConflict, KeyStoreError, KeyStoreUnavailable
from keyvault.key_store import KeyName
from keyvault.store_vault.batches import _MOST_BYTES, Batches
from tests.keyvault.store_vault.mounted import named

MOST = 8


class Signer:
    """Signs a message with an `s` before it; holds its answers back if it is closed."""

    def __init__(self) -> None:
        self.batches: list[tuple[KeyName, list[bytes]]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.asked = asyncio.Event()

    async def __call__(self, name: KeyName, messages: Sequence[bytes]) -> Sequence[bytes | KeyStoreError]:
        self.batches.append((name, list(messages)))
        self.asked.set()
        await self.open.wait()
        if b"fail" in messages:
            raise KeyStoreUnavailable("all of it")
        return [KeyStoreConflict("this one") if message == b"bad" else b"s" + message for message in messages]

    @property
    def sizes(self) -> list[int]:
        return [len(messages) for _, messages in self.batches]


@pytest.fixture
async def signer() -> Signer:
    return Signer()


@pytest.fixture
async def batches(signer: Signer) -> Batches:
    return Batches(signer, lambda _: MOST)


async def under_way(batches: Batches, signer: Signer) -> asyncio.Task[Sequence[bytes]]:
    """A first request, which is not answered yet."""
    signer.open.clear()
    first = asyncio.create_task(batches.sign(named(), [b"first"]))
    await signer.asked.wait()
    return first


async def both_under_way(batches: Batches, signer: Signer) -> asyncio.Task[Sequence[bytes]]:
    """Two requests, which are not answered yet."""
    first = await under_way(batches, signer)
    second = asyncio.create_task(batches.sign(named(), [b"second"]))
    await settle()
    assert signer.sizes == [1, 1]
    return asyncio.ensure_future(_joined(first, second))


async def _joined(*calls: asyncio.Task[Sequence[bytes]]) -> Sequence[bytes]:
    return [signature for call in calls for signature in await call]


async def settle() -> None:
    """Whatever can run now has run."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_one_message_goes_at_once(batches: Batches, signer: Signer) -> None:
    assert await batches.sign(named(), [b"m"]) == [b"sm"]
    assert signer.sizes == [1]


async def test_two_requests_are_under_way_each_with_half_of_what_there_is(batches: Batches, signer: Signer) -> None:
    first = await under_way(batches, signer)
    calls = [asyncio.create_task(batches.sign(named(), [b"%d" % n, b"%d'" % n])) for n in range(3)]
    await settle()
    assert signer.sizes == [1, 2]
    signer.open.set()
    assert await first == [b"sfirst"]
    assert [await call for call in calls] == [[b"s%d" % n, b"s%d'" % n] for n in range(3)]
    assert signer.sizes == [1, 2, 3, 1]


async def test_keys_do_not_wait_for_each_other(batches: Batches, signer: Signer) -> None:
    first = await under_way(batches, signer)
    other = asyncio.create_task(batches.sign(named(2), [b"other"]))
    await settle()
    assert [name for name, _ in signer.batches] == [named(), named(2)]
    signer.open.set()
    assert [await first, await other] == [[b"sfirst"], [b"sother"]]


async def test_full_batches_go_side_by_side_but_not_without_bound(batches: Batches, signer: Signer) -> None:
    signer.open.clear()
    many = [b"%d" % n for n in range(10 * MOST)]
    call = asyncio.create_task(batches.sign(named(), many))
    await settle()
    assert signer.sizes == [MOST] * 4
    signer.open.set()
    assert await call == [b"s" + message for message in many]
    assert signer.sizes == [MOST] * 10


async def test_a_bad_message_fails_its_own_call_only(batches: Batches, signer: Signer) -> None:
    firsts = await both_under_way(batches, signer)
    good, bad = (asyncio.create_task(batches.sign(named(), messages)) for messages in ([b"1", b"2"], [b"3", b"bad"]))
    await settle()
    signer.open.set()
    assert await firsts == [b"sfirst", b"ssecond"]
    assert await good == [b"s1", b"s2"]
    with pytest.raises(KeyStoreConflict, match="this one"):
        await bad
    assert sorted(signer.sizes[2:]) == [1, 3]


async def test_a_failed_request_fails_who_is_in_it_and_the_next_goes_on(batches: Batches, signer: Signer) -> None:
    with pytest.raises(KeyStoreUnavailable, match="all of it"):
        await batches.sign(named(), [b"fail"])
    assert await batches.sign(named(), [b"m"]) == [b"sm"]


async def test_who_goes_away_takes_only_his_own_messages(batches: Batches, signer: Signer) -> None:
    firsts = await both_under_way(batches, signer)
    gone, stays = (asyncio.create_task(batches.sign(named(), [message])) for message in (b"gone", b"stays"))
    await settle()
    gone.cancel()
    await settle()
    signer.open.set()
    assert await firsts == [b"sfirst", b"ssecond"]
    assert await stays == [b"sstays"]
    assert [messages for _, messages in signer.batches] == [[b"first"], [b"second"], [b"stays"]]


async def test_if_everybody_goes_away_the_next_one_is_served_all_the_same(batches: Batches, signer: Signer) -> None:
    first = await under_way(batches, signer)
    first.cancel()
    await settle()
    signer.open.set()
    assert await batches.sign(named(), [b"m"]) == [b"sm"]


async def test_large_messages_are_not_together(batches: Batches, signer: Signer) -> None:
    large = [bytes(_MOST_BYTES // 2 + 1)] * 2 + [bytes(3 * _MOST_BYTES), b"small"]
    assert await batches.sign(named(), large) == [b"s" + message for message in large]
    assert signer.sizes == [1, 1, 1, 1]


async def test_closing_fails_who_waits(batches: Batches, signer: Signer) -> None:
    firsts = await both_under_way(batches, signer)
    waiting = asyncio.create_task(batches.sign(named(), [b"m"]))
    await settle()
    batches.close()
    with pytest.raises(KeyStoreUnavailable, match="closed"):
        await waiting
    signer.open.set()
    assert await firsts == [b"sfirst", b"ssecond"]
