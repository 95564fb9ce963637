"""`kill -9` at random moments during ingest: nothing is lost, nothing is there twice, and the service starts again by itself."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.faults.chance import Killed, chance
from tests.processes import NDJSON, OWN, Service, argv, environment, ndjson, service, spawned

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

TENANTS: Final = {f"tenant-{number}": f"{number}0000000-2222-3333-4444-555555555555" for number in range(3)}
_LINES_OF_A_FILE: Final = 12_000
"""More than `ingest` appends at once, so that a kill can leave a part of them."""


@dataclass
class Sender:
    """Somebody who sends numbered events of a tenant, and remembers which of them were accepted."""

    name: str
    tenant: str
    sent: int = 0
    accepted: list[int] = field(default_factory=list)

    def next(self, count: int, *, ids: bool) -> list[dict[str, Any]]:
        """The next events. Without ids of their own, an `Idempotency-Key` is all that tells a second time from a first."""
        first, self.sent = self.sent, self.sent + count
        return [
            {
                **({"id": f"{self.name}-{number}"} if ids else {}),
                "time": 1_795_000_000_000 - number,
                "type": "LOGIN",
                "realmId": TENANTS[self.tenant],
                "details": {"sender": self.name, "number": str(number)},
            }
            for number in range(first, self.sent)
        ]


async def post(killed: Killed, sender: Sender) -> None:
    """Sends requests until the kills are over, each again with the same key until it is answered."""
    request = 0
    while not killed.over.is_set():
        first = sender.sent
        events = sender.next(killed.dice.randint(1, 40), ids=killed.dice.random() < 0.5)
        headers = {**NDJSON, "Idempotency-Key": f"{sender.name}/{request}"}
        while True:
            await killed.up.wait()
            try:
                answer = await killed.here.ask(
                    "POST", f"/v1/tenants/{sender.tenant}/events", content="\n".join(map(json.dumps, events)), headers=headers
                )
            except httpx.TransportError:
                continue
            assert answer.status_code == 202, answer.text
            assert answer.json() == {"taken": len(events), "refused": []}
            break
        sender.accepted.extend(range(first, sender.sent))
        request += 1


async def ingest(killed: Killed, senders: list[Sender], directory: Path) -> None:
    """Ingests files by the command line, which is killed, too, somewhere in the middle, and then run again."""
    number = 0
    while not killed.over.is_set():
        firsts = [sender.sent for sender in senders]
        events = [event for sender in senders for event in sender.next(_LINES_OF_A_FILE // len(senders), ids=True)]
        killed.dice.shuffle(events)
        events.sort(key=lambda event: int(event["details"]["number"]))  # each sender's in order, the senders mixed
        file = ndjson(directory / f"{number}.ndjson", events)
        if killed.dice.random() < 0.6:
            await ingest_and_kill(killed, file.read_bytes())
        async with spawned(argv("ingest", "--source", "keycloak", str(file)), environment(killed.here.data)) as process:
            out, err = await process.communicate()
            assert process.returncode == 0, err.decode()
            assert out.decode().startswith(f"{len(events)} events appended")
        for sender, first in zip(senders, firsts, strict=True):
            sender.accepted.extend(range(first, sender.sent))
        number += 1


async def ingest_and_kill(killed: Killed, content: bytes) -> None:
    """Has the command read a part, and kills it."""
    async with spawned(
        argv("ingest", "--source", "keycloak", "-"), environment(killed.here.data), stdin=asyncio.subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        process.stdin.write(content[: killed.dice.randint(0, len(content))])
        await process.stdin.drain()
        process.kill()


async def check(here: Service, senders: list[Sender]) -> None:
    """Counts: what every tenant has is what was sent, what was accepted is there, once, in the order of its sender."""
    for tenant, realm in TENANTS.items():
        events = await here.exported(tenant)
        assert {event["idp"]["realmId"] for event in events} <= {realm}
        found: dict[str, list[int]] = defaultdict(list)
        for event in events:
            found[event["idp"]["details"]["sender"]].append(int(event["idp"]["details"]["number"]))
        assert set(found) <= {sender.name for sender in senders if sender.tenant == tenant}
        for sender in senders:
            if sender.tenant == tenant:
                numbers = found[sender.name]
                assert len(set(numbers)) == len(numbers), f"{sender.name}: twice"
                assert set(sender.accepted) <= set(numbers), f"{sender.name}: lost"
                assert set(numbers) <= set(range(sender.sent)), f"{sender.name}: never sent"
                assert numbers == sorted(numbers), f"{sender.name}: out of order"
        assert await tailed(here, tenant) == [event["event.id"] for event in events]


async def tailed(here: Service, tenant: str) -> list[str]:
    """The ids of all events, by polling."""
    found: list[str] = []
    after = ""
    while True:
        page = (await here.get(f"/v1/tenants/{tenant}/events/tail", q=OWN, after=after, limit=1000)).json()
        if not page["events"]:
            return found
        found += [event["event.id"] for event in page["events"]]
        after = page["next"]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [5, pytest.param(20, marks=pytest.mark.long)])
async def test_nothing_is_lost_and_nothing_is_there_twice(tmp_path: Path, kills: int) -> None:
    async with service(tmp_path / "data") as here:
        for tenant, realm in TENANTS.items():
            await here.create(tenant, {"provider": "keycloak", "realm_id": realm})
        token = here.token
        killed = Killed(here, chance())
        posting = [Sender(f"http-{number}", tenant) for number, tenant in enumerate([*TENANTS, *TENANTS])]
        reading = [Sender(f"file-{number}", tenant) for number, tenant in enumerate(TENANTS)]
        async with asyncio.TaskGroup() as group:
            for sender in posting:
                group.create_task(post(killed, sender))
            group.create_task(ingest(killed, reading, tmp_path))
            for _ in range(kills):
                await killed.kill(longest=2)
                killed.up.set()
            killed.over.set()
        assert all(sender.accepted for sender in [*posting, *reading])
        await here.settled()
        await check(here, [*posting, *reading])
        assert here.token == token
        assert (await here.run("replay", "--dead-letters", "--dry-run", "--json")).json["reasons"] == {}
        before = {tenant: await tailed(here, tenant) for tenant in TENANTS}
        for tenant in TENANTS:
            assert (await here.post(f"/v1/tenants/{tenant}/events/rebuild", {})).status_code == 200
        assert {tenant: await tailed(here, tenant) for tenant in TENANTS} == before, "the index had no other opinion than the log"
