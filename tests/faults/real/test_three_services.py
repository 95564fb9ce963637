"""Three processes serve at once, and people change the same tenants through all of them: nobody's change is lost, and all agree."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.daemon import PATIENCE
from tests.faults.chance import chance
from tests.faults.real.sending import REALMS
from tests.faults.real.system import System, system
from tests.faults.real.watching import watched

TENANTS: Final = ("globex", "initech")
SHORT: Final = {
    "algorithm": "ES256",
    "max_published_keys": 20,
    "publish_ahead": "PT2S",
    "max_token_lifetime": "PT1S",
    "clock_skew": "PT0S",
    "jwks_max_age": "PT1S",
}
"""Old keys are soon not published any more, so that there is room for others."""


async def agreed(here: System, path: str, right: Callable[[Any], bool] = bool) -> Any:
    """What all services answer, once they answer the same, and it is right."""
    answers: list[Any] = []
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                answers = [(await service.get(path)).json() for service in here.services]
                if all(answer == answers[0] for answer in answers) and right(answers[0]):
                    return answers[0]
                await asyncio.sleep(0.05)  # in other processes
    except TimeoutError:
        raise AssertionError(f"{path}: {answers}") from None


def sound(ring: Any) -> bool:
    """Whether the ring has what the scheduler gives it by and by."""
    states = Counter(key["state"] for key in ring["keys"])
    return (states["active"], states["pre-activation"]) == (1, 1)


async def command(here: System, number: int, tenant: str) -> httpx.Response:
    """A command to one of the services: a rotation, a token, or another name for the tenant."""
    service = here.services[number % len(here.services)]
    headers = {"Idempotency-Key": f"race/{number}"}
    match number % 5:
        case 0 | 1:
            rotation = {"activate": True, "reason": "a race"}
            return await service.ask("POST", f"/v1/tenants/{tenant}/keys/rotate", json=rotation, headers=headers)
        case 2:
            return await service.ask("POST", f"/v1/tenants/{tenant}/keys/rotate", json={}, headers=headers)
        case 3:
            scopes = ["events:read", "keys:read"]
            return await service.ask("POST", f"/v1/tenants/{tenant}/tokens", json={"name": f"token-{number}", "scopes": scopes})
        case _:
            sources = [{"provider": "keycloak", "realm_id": REALMS[tenant], "realm": tenant}]
            return await service.ask("PUT", f"/v1/tenants/{tenant}", json={"display_name": f"Name {number}", "sources": sources})


@pytest.mark.timeout(600)
@pytest.mark.parametrize("commands", [50, pytest.param(400, marks=pytest.mark.long)])
async def test_commands_through_three_services_at_once_are_all_carried_out(
    tmp_path: Path, kafka: Any, opensearch: Any, openbao: Any, commands: int
) -> None:
    public = "https://id.example"  # which several processes must be told, or each names itself
    async with system(tmp_path, kafka, opensearch, openbao, dice=chance(), public_url=public) as (here, _), watched(here.api):
        await asyncio.gather(here.serve(), here.serve())
        for tenant in TENANTS:
            assert (await here.api.ask("PUT", f"/v1/tenants/{tenant}/keys/policy", json=SHORT)).status_code == 200
        for start in range(0, commands, 50):
            some = range(start, start + 50)
            answers = await asyncio.gather(*(command(here, number, TENANTS[number // 5 % 2]) for number in some))
            said = Counter(answer.status_code for answer in answers)
            refused = [answer.text for answer in answers if answer.status_code not in {200, 201}]
            # Too many keys are published for another rotation: an answer, and nothing lost.
            assert all(json.loads(text)["type"].endswith("/too-many-keys") for text in refused), refused[:3]
            print(start, dict(said))
            await check(here, [(number, answer) for number, answer in zip(some, answers, strict=True) if answer.is_success])


async def check(here: System, carried_out: list[tuple[int, httpx.Response]]) -> None:
    """The services agree, rings are sound, and everything that was acknowledged is there."""
    for tenant in TENANTS:
        mine = [(number, answer) for number, answer in carried_out if TENANTS[number // 5 % 2] == tenant]
        keys = (await agreed(here, f"/v1/tenants/{tenant}/keys", sound))["keys"]
        ordinals = sorted(key["ordinal"] for key in keys)
        assert ordinals == list(range(ordinals[0], ordinals[0] + len(keys))), "no ordinal is double, none is left out"
        assert len({key["kid"] for key in keys}) == len(keys)
        activated = {key["kid"] for key in keys if "activated_at" in key}
        assert {answer.json()["active"] for number, answer in mine if number % 5 < 2} <= activated
        names = {number for number, _ in mine if number % 5 == 4}
        assert (await agreed(here, f"/v1/tenants/{tenant}"))["display_name"] in {f"Name {number}" for number in names}
        tokens = [answer.json()["token"] for number, answer in mine if number % 5 == 3]
        assert len(set(tokens)) == len(tokens) > 0
        for token in tokens:
            for service in here.services:
                assert (await asking(service.url, tenant, token)).status_code == 200


async def asking(url: str, tenant: str, token: str) -> httpx.Response:
    """A question with a token."""
    async with httpx.AsyncClient(timeout=30) as client:
        return await client.get(f"{url}/v1/tenants/{tenant}/keys", headers={"Authorization": f"Bearer {token}"})
