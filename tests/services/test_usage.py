"""What keys have signed: counted on every node, in the tenant's own log, never too high, and nobody's name in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from keyvault.durations import HOUR
from keyvault.usage import MOST_CLIENTS, Usage
from services.clockwork import Clockwork
from services.keys.usage import UsageCounter, secret_of_subjects
from services.usage import keeping as keeping_module
from services.usage import sums
from services.usage.journal import Journal
from services.usage.keeping import keeping
from services.usage.note import Note, read_note
from streams.errors import AppendInDoubt, LogUnavailable
from streams.event_log import TENANT_LOG, EventLog, NewRecord, Record
from streams.scope import TenantScope
from streams.segment import Encoded, entries, segments
from tests.platforms import Site, site

ACME = TenantScope("acme")
SECRET = bytes(range(32))


@pytest.fixture
async def acme(here: Site) -> Site:
    await here.create("acme")
    return here


def kid_of(here: Site) -> str:
    active = here.platform.rings.of("acme").active
    assert active is not None
    return active.kid


async def sign(here: Site, **claims: Any) -> None:
    answer = await here.operator.post("/v1/tenants/acme/tokens/sign", json={"claims": claims})
    assert answer.status_code == 200, answer.text


async def usage(here: Site, kid: str = "") -> dict[str, Any]:
    answer = await here.operator.get(f"/v1/tenants/acme/keys/{kid or kid_of(here)}/usage")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def noted(here: Site) -> list[Note]:
    """The notes in the tenant's log, as they stand there."""
    documents = [entry.document for record in await here.records(TENANT_LOG) if record.key == "acme" for entry in entries(record)]
    return [read_note(document) for document in documents if b'"key_usage' in document]


class Node:
    """Another node of the same service: what it counts, it writes into the same log."""

    def __init__(self, here: Site, log: EventLog | None = None) -> None:
        self.here = here
        self.counter = UsageCounter(SECRET, here.platform.now)
        self.journal = Journal(self.counter, log or here.platform.log, here.platform.tenants.exists, here.platform.now)

    def sign(self, count: int = 1, *, kid: str = "", **claims: Any) -> None:
        for _ in range(count):
            self.counter.count(ACME, kid or kid_of(self.here), claims, self.here.platform.now() + HOUR)

    def sums(self) -> sums.UsageSums:
        return sums.UsageSums(self.here.platform.search, self.journal, self.here.platform.log, self.here.platform.now)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        clockwork = Clockwork()
        clockwork.start()
        platform = self.here.platform
        try:
            async with keeping(
                self.counter, platform.search, platform.log, platform.tenants.exists, platform.rings, clockwork, platform.now
            ):
                yield
        finally:
            clockwork.stop()


async def test_tokens_are_counted_at_once_by_key_client_and_time(acme: Site) -> None:
    before = acme.platform.now()
    for claims in ({"client_id": "web", "sub": "ada"}, {"client_id": "web", "sub": "bob"}, {"azp": "app", "sub": "ada"}, {}):
        await sign(acme, **claims)
    found = await usage(acme)
    assert (found["signatures"], found["subjects"], found["without_client"], found["other_clients"]) == (4, 2, 1, 0)
    assert found["clients"] == [{"id": "web", "signatures": 2}, {"id": "app", "signatures": 1}]
    assert found["first_signed_at"] <= found["last_signed_at"] < found["last_expiry"]
    active = acme.platform.rings.of("acme").active
    assert active is not None
    counted = await acme.platform.usage.of(ACME, active.kid)
    assert counted.last_expiry is not None
    assert before + HOUR - 1000 <= counted.last_expiry <= acme.platform.now() + HOUR


async def test_each_token_of_a_batch_is_counted_and_none_of_a_refused_one(acme: Site) -> None:
    url, claims = "/v1/tenants/acme/tokens/sign", [{"azp": "web"}, {"azp": "app"}, {"azp": "web"}]
    assert (await acme.operator.post(url, json={"batch": claims})).status_code == 200
    assert (await acme.operator.post(url, json={"batch": [*claims, {"iss": "https://evil.example"}]})).status_code == 400
    assert (await usage(acme))["clients"] == [{"id": "web", "signatures": 2}, {"id": "app", "signatures": 1}]


async def test_a_key_that_has_signed_nothing_has_nothing(acme: Site) -> None:
    found = await usage(acme)
    assert (found["signatures"], found["clients"], found["last_expiry"]) == (0, [], None)
    assert (await acme.operator.get("/v1/tenants/acme/keys/none/usage")).status_code == 404


async def test_refused_claims_are_not_counted(acme: Site) -> None:
    answer = await acme.operator.post("/v1/tenants/acme/tokens/sign", json={"claims": {"iss": "https://evil.example"}})
    assert answer.status_code == 400
    assert (await usage(acme))["signatures"] == 0


@pytest.mark.parametrize("path", ["usage", "blast-radius"])
async def test_it_takes_a_token_of_the_tenant_with_keys_read(acme: Site, path: str) -> None:
    await acme.create("globex")
    url = f"/v1/tenants/acme/keys/{kid_of(acme)}/{path}"
    assert (await acme.client(None).get(url)).status_code == 401
    for tenant, scope, status in (("acme", "events:read", 403), ("globex", "keys:read", 404), ("acme", "keys:read", 200)):
        async with await acme.token(tenant, scope) as client:
            assert (await client.get(url)).status_code == status


async def test_it_survives_a_restart_as_one_event_that_the_tenant_can_search(tmp_path: Path) -> None:
    async with site(tmp_path / "data") as here:
        await here.create("acme")
        for number in range(30):
            await sign(here, client_id="web", sub=f"user {number % 3}")
        assert await noted(here) == []
    async with site(tmp_path / "data") as here:
        await here.settled()
        [note] = await noted(here)
        found = await usage(here)
        assert (found["signatures"], found["subjects"], found["clients"]) == (30, 3, [{"id": "web", "signatures": 30}])
        await sign(here, client_id="app")
        assert (await usage(here))["signatures"] == 31
        reader = await here.token("acme", "events:read")
        searched = await reader.get("/v1/tenants/acme/events", params={"q": "event.action:key_usage AND idp.clients.id:web"})
        [event] = searched.json()["events"]
        assert (event["event.id"], event["idp"]["kid"], event["idp"]["signatures"]) == (note.id, kid_of(here), 30)
        assert "user " not in searched.text
        await reader.aclose()


async def test_of_two_nodes_it_is_the_sum_and_a_subject_of_both_counts_once(acme: Site) -> None:
    other = Node(acme)
    other.counter = UsageCounter(secret_of_subjects(await _installation(acme)), acme.platform.now)
    other.journal = Journal(other.counter, acme.platform.log, acme.platform.tenants.exists, acme.platform.now)
    other.sign(5, client_id="app", sub="ada")
    for _ in range(3):
        await sign(acme, client_id="web", sub="ada")
    assert (await usage(acme))["signatures"] == 3, "the other has not written it down yet"
    await other.journal.write()
    await acme.settled()
    found = await usage(acme)
    assert (found["signatures"], found["subjects"]) == (8, 1)
    assert found["clients"] == [{"id": "app", "signatures": 5}, {"id": "web", "signatures": 3}]
    assert (await other.sums().of(ACME, kid_of(acme))).signatures == 5, "and now it is this one that has not"


async def _installation(here: Site) -> bytes:
    [created] = [record for record in await here.records("control") if b"cursor_key" in record.value]
    return bytes.fromhex(created.value.split(b'"cursor_key":"')[1].split(b'"')[0].decode())


async def test_what_is_written_down_but_not_indexed_yet_is_neither_missed_nor_doubled(tmp_path: Path) -> None:
    async with site(tmp_path / "data") as here:
        await here.create("acme")
        await here.settled()
    async with site(tmp_path / "data", process=False) as here:
        node = Node(here)
        for number in range(1, 4):
            node.sign(10)
            assert (await node.sums().of(ACME, kid_of(here))).signatures == 10 * number
            await node.journal.write()
            assert (await node.sums().of(ACME, kid_of(here))).signatures == min(10 * number, 20), "two periods are waited for the index"


async def test_whoever_sums_up_while_it_is_written_down_gets_the_same(acme: Site) -> None:
    node = Node(acme)
    node.sign(7)
    seen: list[int] = []

    async def look(over: asyncio.Event) -> None:
        while not over.is_set():
            seen.append((await node.sums().of(ACME, kid_of(acme))).signatures)

    over = asyncio.Event()
    looking = asyncio.create_task(look(over))
    for _ in range(5):
        await node.journal.write()
        await acme.settled()
    over.set()
    await looking
    assert set(seen) == {7}


class Failing:
    """A log that can't be written for a while."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.away = True

    async def append(self, records: Sequence[NewRecord]) -> Sequence[Record]:
        if self.away:
            raise LogUnavailable("away")
        return await self._log.append(records)


async def test_what_can_not_be_written_down_now_is_kept(acme: Site) -> None:
    log = Failing(acme.platform.log)
    node = Node(acme, log)  # type: ignore[arg-type]
    node.sign(3, client_id="web")
    await node.journal.write()
    node.sign(4, client_id="app")
    assert (await node.sums().of(ACME, kid_of(acme))).signatures == 7
    log.away = False
    await node.journal.write()
    await node.journal.write()
    await acme.settled()
    [note] = await noted(acme)
    assert note.usage.clients == {"web": 3, "app": 4}
    assert (await node.sums().of(ACME, kid_of(acme))).signatures == 7


class Late:
    """A log that answers late: what was appended can be read long before."""

    def __init__(self, log: EventLog, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self._log = log
        self._meanwhile = meanwhile

    async def append(self, records: Sequence[NewRecord]) -> Sequence[Record]:
        appended = await self._log.append(records)
        await self._meanwhile()
        return appended


async def test_what_is_found_before_its_append_was_answered_counts_once(acme: Site) -> None:
    seen: list[int] = []

    async def look() -> None:
        await acme.settled()
        seen.append((await node.sums().of(ACME, kid_of(acme))).signatures)

    node = Node(acme, Late(acme.platform.log, look))  # type: ignore[arg-type]
    node.sign(7)
    await node.journal.write()
    await look()
    assert seen == [7, 7]


async def test_a_key_that_signs_no_more_is_written_down_at_once(acme: Site) -> None:
    node, kid = Node(acme), kid_of(acme)
    async with node.running():
        node.sign(5)
        await acme.operator.post(f"/v1/tenants/acme/keys/{kid}/compromise", json={"reason": "a test"})
        async with acme.platform.log.follow(TENANT_LOG, None) as waking:
            while not await noted(acme):
                await waking.next(0.05)
        assert [(note.kid, note.usage.signatures) for note in await noted(acme)] == [(kid, 5)]


async def test_every_period_it_is_written_down_and_after_many_notes_summed_up(acme: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping_module, "PERIOD_SECONDS", 1)
    monkeypatch.setattr(keeping_module, "MANY", 1)
    monkeypatch.setattr(sums, "MANY", 1)
    node = Node(acme)
    async with node.running(), asyncio.timeout(60), acme.platform.log.follow(TENANT_LOG, None) as waking:
        while not any(note.upto is not None for note in await noted(acme)):
            node.sign()  # a note that is not indexed yet when its turn comes is in the next sum
            await waking.next(0.1)


async def test_of_a_deleted_tenant_nothing_is_written_down(acme: Site) -> None:
    node = Node(acme)
    node.sign()
    await acme.operator.delete("/v1/tenants/acme")
    await node.journal.write()
    assert await noted(acme) == []


async def test_keys_that_have_signed_equally_often_are_not_summed_up_all_at_once(acme: Site) -> None:
    node, kids = Node(acme), [f"key {number}" for number in range(250)]
    for _ in range(4):
        for kid in kids:
            node.sign(kid=kid)
        await node.journal.write()
    named = [[kid for _, kid in node.journal.often(4)] for _ in range(3)]
    assert [len(one) for one in named] == [125, 125, 0]
    assert sorted(kid for one in named for kid in one) == sorted(kids), "none is left out"


class Doubtful:
    """A log that does not answer whether it has what was appended; it has it, or not."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.has: bool | None = None

    async def append(self, records: Sequence[NewRecord]) -> Sequence[Record]:
        appended = await self._log.append(records) if self.has is not False else []
        if self.has is None:
            return appended
        raise AppendInDoubt("not answered")


@pytest.mark.parametrize("has", [True, False])
async def test_a_note_in_doubt_counts_once(acme: Site, has: bool) -> None:
    log = Doubtful(acme.platform.log)
    node, other = Node(acme, log), Node(acme)  # type: ignore[arg-type]
    node.sign(3, client_id="web")
    log.has = has
    await node.journal.write()
    assert (await node.sums().of(ACME, kid_of(acme))).signatures in {0, 3}, "too little, if that can't be told, but never too much"
    node.sign(4, client_id="app")
    assert (await node.sums().of(ACME, kid_of(acme))).signatures in {4, 7}
    await node.journal.write()
    log.has = None
    await node.journal.write()
    await acme.settled()
    for one in (node, other):
        found = await one.sums().of(ACME, kid_of(acme))
        assert (found.signatures, found.clients) == (7, {"web": 3, "app": 4})


async def test_a_note_in_doubt_that_another_node_has_summed_up_counts_once(acme: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "MANY", 1)
    log = Doubtful(acme.platform.log)
    node, other = Node(acme, log), Node(acme)  # type: ignore[arg-type]
    node.sign(3)
    log.has = True
    await node.journal.write()
    await acme.settled()
    assert (await other.sums().of(ACME, kid_of(acme))).signatures == 3, "which is written down as the sum"
    await acme.settled()
    seen = [(await node.sums().of(ACME, kid_of(acme))).signatures]
    log.has = None
    await node.journal.write()
    seen.append((await node.sums().of(ACME, kid_of(acme))).signatures)
    await acme.settled()
    seen.append((await node.sums().of(ACME, kid_of(acme))).signatures)
    assert seen == [3, 3, 3]


async def test_a_hostile_number_of_clients_stays_small(acme: Site) -> None:
    node = Node(acme)
    for number in range(3 * MOST_CLIENTS):
        node.sign(client_id=f"<script>alert({number})</script>" + "x" * 5000, sub=f"user {number}")
    await node.journal.write()
    await acme.settled()
    found = await usage(acme)
    assert len(found["clients"]) == MOST_CLIENTS
    assert found["other_clients"] == 2 * MOST_CLIENTS
    assert abs(found["subjects"] - 3 * MOST_CLIENTS) < 60
    [record] = [one for one in await acme.records(TENANT_LOG) if b"key_usage" in one.value]
    assert len(record.value) < 80_000


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


async def test_another_tenants_same_subject_leaves_another_mark() -> None:
    counter = UsageCounter(SECRET, lambda: 0)
    for tenant in ("acme", "globex"):
        counter.count(TenantScope(tenant), "k", {"sub": "ada"}, 1)
    acme, globex = (counter.of(tenant)["k"].usage.subjects for tenant in ("acme", "globex"))
    assert acme != globex
