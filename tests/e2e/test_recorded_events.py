"""All recorded Keycloak events, ingested twice by the command line, are in the right tenants once."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from services.sample.load import FILES
from tests.platforms import REALM_IDS, keycloak, recorded
from tests.processes import OWN, service

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
FILE_ARGUMENTS = [str(path) for path in FILES]


def action(event: dict[str, Any]) -> str:
    """What the design says `event.action` is, straight from the recorded event."""
    return str(event["type"] if "type" in event else f"{event['operationType']}_{event['resourceType']}").lower()


@pytest.mark.parametrize("serving", [True, False], ids=["while-serving", "while-stopped"])
async def test_all_recorded_events_ingested_twice_are_there_once(tmp_path: Path, serving: bool) -> None:
    expected: dict[str, Counter[str]] = defaultdict(Counter)
    for event in recorded():
        expected[event["realmId"]][action(event)] += 1
    total = sum(counter.total() for counter in expected.values())
    assert total == 4586
    async with service(tmp_path / "data") as here:
        for tenant in REALM_IDS:
            await here.create(tenant, keycloak(tenant))
        if not serving:
            assert await here.stop() == 0
        first = await here.run("ingest", "--source", "keycloak", "--wait", *FILE_ARGUMENTS)
        assert first.out.strip() == f"{total} events: {total} indexed, 0 duplicate, 0 dead-lettered", first.err
        again = await here.run("ingest", "--source", "keycloak", "--wait", *FILE_ARGUMENTS)
        assert again.out.strip() == f"{total} events: 0 indexed, {total} duplicate, 0 dead-lettered", again.err
        if not serving:
            await here.start()
        for tenant, realm in REALM_IDS.items():
            assert await here.counts(tenant) == expected[realm]


async def test_admin_events_sit_with_the_realm_that_they_changed(tmp_path: Path) -> None:
    changed = Counter(event["realmId"] for event in recorded("admin-events"))
    from_elsewhere = sum(1 for event in recorded("admin-events") if event["authDetails"]["realmId"] != event["realmId"])
    assert from_elsewhere > 0, "administrators of the realm `master`"
    async with service(tmp_path / "data", sample=1) as here:
        await here.settled()
        strangers = 0
        for tenant, realm in REALM_IDS.items():
            events = await here.exported(tenant, f"{OWN} AND event.dataset:keycloak.admin")
            assert {event["idp"]["realmId"] for event in events} == {realm}
            assert len(events) == changed[realm]
            strangers += sum(1 for event in events if event["idp"]["authDetails"]["realmId"] != realm)
        assert strangers == from_elsewhere
