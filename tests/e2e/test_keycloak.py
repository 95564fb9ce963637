"""A real Keycloak's events, through Kafka, into the indexes of six tenants: each finds what Keycloak itself says of its realm, and no more.

Run by `pytest --keycloak`: it fetches 180 MB.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from pytest_socket import enable_socket

from tests.faults.chance import chance
from tests.faults.real.sending import sender
from tests.faults.real.system import System
from tests.processes import OWN
from tests.servers.fixtures import made
from tests.servers.keycloak import Keycloak

REALMS: Final = ("globex", "initech", "umbrella", "hooli", "wonka", "tyrell")
_MOST: Final = 100_000


@pytest.fixture(scope="module")
def keycloak() -> Iterator[Keycloak]:
    """A running Keycloak."""
    enable_socket()
    with made(Keycloak, "keycloak") as server:
        yield server


def make_realm(keycloak: Keycloak, name: str, users: int) -> str:
    """A realm that records its events, with a client and users; its id."""
    keycloak.ask("POST", "", {"realm": name, "enabled": True, "sslRequired": "none", **recording()})
    keycloak.ask("POST", f"/{name}/clients", {"clientId": "web-app", "publicClient": True, "directAccessGrantsEnabled": True})
    for number in range(users):
        user = f"user{number}@{name}.example"
        password = {"type": "password", "value": f"right-{number}", "temporary": False}
        person = {"username": user, "email": user, "firstName": "User", "lastName": str(number), "emailVerified": True}
        keycloak.ask("POST", f"/{name}/users", {**person, "enabled": True, "credentials": [password]})
    return str(keycloak.ask("GET", f"/{name}")["id"])


def recording() -> dict[str, bool]:
    return {"eventsEnabled": True, "adminEventsEnabled": True, "adminEventsDetailsEnabled": True}


def use(keycloak: Keycloak, name: str, users: int) -> None:
    """What people and administrators do in a realm; in each realm another number of times."""
    for number in range(users):
        user = {"client_id": "web-app", "username": f"user{number}@{name}.example"}
        for _ in range(number):
            assert keycloak.token(name, grant_type="password", password="wrong", **user).is_client_error
        answer = keycloak.token(name, grant_type="password", password=f"right-{number}", **user)
        assert answer.status_code == 200, answer.text
        again = keycloak.token(name, grant_type="refresh_token", client_id="web-app", refresh_token=answer.json()["refresh_token"])
        assert again.status_code == 200, again.text
    assert keycloak.token(name, grant_type="password", client_id="web-app", username="nobody", password="x").is_client_error
    assert keycloak.token(name, grant_type="password", client_id="no-client", username="nobody", password="x").is_client_error
    for number in range(users):
        keycloak.ask("POST", f"/{name}/groups", {"name": f"group-{number}"})
        keycloak.ask("POST", f"/{name}/roles", {"name": f"role-{number}"})
    people = keycloak.ask("GET", f"/{name}/users", max=1)
    keycloak.ask("PUT", f"/{name}/users/{people[0]['id']}", {**people[0], "lastName": "Changed"})
    keycloak.ask("DELETE", f"/{name}/users/{people[0]['id']}")
    keycloak.ask("PUT", f"/{name}", {"displayName": f"The realm {name}"})


def said(keycloak: Keycloak, name: str) -> list[dict[str, Any]]:
    """All events of a realm as Keycloak has them."""
    found: list[dict[str, Any]] = [
        *keycloak.ask("GET", f"/{name}/events", max=_MOST),
        *keycloak.ask("GET", f"/{name}/admin-events", max=_MOST),
    ]
    return found


def action(event: dict[str, Any]) -> str:
    return str(event["type"] if "type" in event else f"{event['operationType']}_{event['resourceType']}").lower()


@pytest.mark.timeout(600)
async def test_each_tenant_finds_what_keycloak_says_of_its_realm(
    tmp_path: Path, keycloak: Keycloak, kafka: Any, opensearch: Any, openbao: Any
) -> None:
    keycloak.ask("PUT", "/master", recording())
    ids = {name: make_realm(keycloak, name, users=2 + number) for number, name in enumerate(REALMS)}
    for number, name in enumerate(REALMS):
        use(keycloak, name, users=2 + number)
    master, *realms = (said(keycloak, name) for name in ("master", *REALMS))
    events = sorted((event for realm in (master, *realms) for event in realm), key=lambda event: int(event["time"]))
    print({name: len(realm) for name, realm in zip(("master", *REALMS), (master, *realms), strict=True)}, "events")
    dice = chance()
    here = System(tmp_path, kafka, opensearch, openbao)
    try:
        await here.serve()
        for name, realm_id in ids.items():
            await here.api.create(name, {"provider": "keycloak", "realm_id": realm_id, "realm": name})
        await asyncio.gather(here.work(), here.work())
        async with sender(kafka.bootstrap, here.prefix, dice) as listener:
            for event in events:
                await (await listener.post(json.dumps(event).encode()))
        await here.arrived(sum(map(len, realms)))
        for name, realm in zip(REALMS, realms, strict=True):
            found = await here.api.exported(name)
            assert sorted(event["event.id"] for event in found) == sorted(event["id"] for event in realm)
            assert await here.api.counts(name) == Counter(map(action, realm))
            assert {event["idp"]["realmId"] for event in found} == {ids[name]}
            failed = len(await here.api.exported(name, f"{OWN} AND event.outcome:failure"))
            assert failed == sum("error" in event for event in realm) > 0
            logins = keycloak.ask("GET", f"/{name}/events", type="LOGIN", max=_MOST)
            assert (await here.api.counts(name))["login"] == len(logins) > 0
        letters = await here.letters()
        assert Counter(letter.value for letter in letters) == Counter(json.dumps(event).encode() for event in master)
        assert master, "what happened in the realm that no tenant has"
    finally:
        await here.close()
