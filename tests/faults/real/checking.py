"""The checker: counts every event that was sent, wherever it could be lost, doubled, misplaced or disordered."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tests.daemon import PATIENCE
from tests.faults.real.sending import REALMS, Sent
from tests.faults.real.system import System

Place = tuple[int, int]


async def check(system: System, sent: Sent, *, patience: float = PATIENCE) -> None:
    """Returns if everything that was sent has arrived, once, with its owner, in order, and nothing else has."""
    await system.arrived(sent.count, patience)
    places = await _places(system)
    total = 0
    for tenant, ids in sent.events.items():
        events = await system.api.exported(tenant)
        found = [event["event.id"] for event in events]
        assert len(set(ids)) == len(ids)
        assert set(ids) - set(found) == set(), f"{tenant}: lost"
        assert set(found) - set(ids) == set(), f"{tenant}: not its own"
        assert len(found) == len(ids), f"{tenant}: twice"
        assert await system.indexed(tenant) == len(ids), "OpenSearch itself has no other opinion"
        assert {event["tenant.id"] for event in events} <= {tenant}
        assert {event["idp"]["realmId"] for event in events} <= {REALMS[tenant]}
        assert {event["idp"]["realmName"] for event in events if event["idp"].get("realmName")} <= {tenant}
        _check_order(tenant, events, places)
        total += len(found)
    assert total == sent.count == await system.indexed(), "and no index has more"
    letters = Counter(letter.value for letter in await system.letters())
    assert letters == sent.poison, "the dead letters are those that were expected"


async def _places(system: System) -> dict[str, Place]:
    """Where each event is in the topic, but those that the sender's client has written twice."""
    places: dict[str, Place] = {}
    again: set[str] = set()
    for partition, records in (await system.raw()).items():
        for record in records:
            try:
                event = json.loads(record.value)
            except ValueError:
                continue
            if event["id"] in places:
                again.add(event["id"])
            places[event["id"]] = partition, record.offset
    return {name: place for name, place in places.items() if name not in again}


def _check_order(tenant: str, events: list[dict[str, Any]], places: dict[str, Place]) -> None:
    """What came over one partition kept its order in the tenant's log."""
    positions = [event["log.position"] for event in events]
    assert positions == sorted(set(positions))
    reached: dict[int, int] = {}
    for event in events:
        if (place := places.get(event["event.id"])) is not None:
            partition, offset = place
            assert offset > reached.get(partition, -1), f"{tenant}: out of order at {event['log.position']}"
            reached[partition] = offset
