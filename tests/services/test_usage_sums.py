"""The sums of what keys have signed: written down now and then, so that nobody reads all notes again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from keyvault.usage import Usage
from services.usage import keeping as keeping_module
from services.usage import sums
from services.usage.note import Note, read_note
from streams.event_log import TENANT_LOG
from streams.segment import Encoded, segments
from tests.platforms import Site
from tests.services.counting import ACME, SECRET, Node, kid_of, noted


@pytest.fixture
async def acme(here: Site) -> Site:
    await here.create("acme")
    return here


async def test_every_period_it_is_written_down_and_after_many_notes_summed_up(acme: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping_module, "PERIOD_SECONDS", 1)
    monkeypatch.setattr(keeping_module, "MANY", 1)
    monkeypatch.setattr(sums, "MANY", 1)
    node = Node(acme)
    async with node.running(), asyncio.timeout(60), acme.platform.log.follow(TENANT_LOG, None) as waking:
        while not any(note.upto is not None for note in await noted(acme)):
            node.sign()  # a note that is not indexed yet when its turn comes is in the next sum
            await waking.next(0.1)


async def test_keys_that_have_signed_equally_often_are_not_summed_up_all_at_once(acme: Site) -> None:
    node, kids = Node(acme), [f"key {number}" for number in range(250)]
    for _ in range(4):
        for kid in kids:
            node.sign(kid=kid)
        await node.journal.write()
    named = [[kid for _, kid in node.journal.often(4)] for _ in range(3)]
    assert [len(one) for one in named] == [125, 100, 25], "a share of those that are left, or a hundred"
    assert sorted(kid for one in named for kid in one) == sorted(kids), "none is left out"


async def test_after_many_notes_their_sum_is_written_down_and_read_instead(acme: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "MANY", 5)
    node, read = Node(acme), _counting(monkeypatch)
    for number in range(7):
        node.sign(2, client_id=f"client {number}", sub="ada")
        await node.journal.write()
    assert node.journal.often(7) == [(ACME, kid_of(acme))]
    assert node.journal.often(1) == []
    await acme.settled()
    first = await node.sums().of(ACME, kid_of(acme))
    assert (read(), first.signatures) == (7, 14)
    await acme.settled()
    node.sign(1, client_id="late")
    await node.journal.write()
    await acme.settled()
    second = await acme.platform.usage.of(ACME, kid_of(acme))
    assert (read(), second.signatures, second.subjects.estimate()) == (2, 15, 1), "the sum, and the note after it"
    assert second.clients == {**first.clients, "late": 1}
    assert (await node.sums().of(ACME, kid_of(acme))).signatures == 15, "also for who has written some of what was summed up"
    [written] = [note for note in await noted(acme) if note.upto is not None]
    assert written.usage == first


def _counting(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many notes were read since it was asked last."""
    read = 0

    def counted(document: bytes) -> Note:
        nonlocal read
        read += 1
        return read_note(document)

    def since() -> int:
        nonlocal read
        found, read = read, 0
        return found

    monkeypatch.setattr(sums, "read_note", counted)
    return since


async def test_a_note_that_this_version_can_not_read_is_left_out(acme: Site) -> None:
    node = Node(acme)
    node.sign(2)
    await node.journal.write()
    broken = Usage()
    broken.add({}, 1, 1, SECRET)
    encoded = Note.new(kid_of(acme), broken).encode(ACME, acme.platform.now())
    document = encoded.document.replace(b'"signatures":1', b'"signatures":"one"')
    assert document != encoded.document
    await acme.platform.log.append(segments(ACME, [Encoded(encoded.event_id, encoded.time, document)]))
    await acme.settled()
    assert (await node.sums().of(ACME, kid_of(acme))).signatures == 2
