"""Real client libraries against a running service, over HTTP: two planned rotations that none of them notices, and an emergency.

`pytest -s` shows what was measured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from keyvault.policy import Policy
from keyvault.survival import check
from tests.clients import programs
from tests.clients.journey import AUDIENCE, Journey
from tests.clients.party import party
from tests.clients.programs import Program
from tests.policies import set_before
from tests.processes import Service, service
from tests.servers.fixtures import made

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.timeout(900)]

ALGORITHMS: Final = ("ES256", "RS256")
BY_DEFAULT: Final = {
    "jwks_max_age": "PT30S",
    "clock_skew": "PT1S",
    "publish_ahead": "PT32S",
    "rotation_period": "PT33S",
    "max_token_lifetime": "PT2M",
    "max_published_keys": 6,
}
"""As short as the libraries' defaults allow: three of them do not fetch again within 30 seconds, so a key must be published for longer."""
BRISK: Final = {
    "jwks_max_age": "PT2S",
    "clock_skew": "PT0S",
    "publish_ahead": "PT3S",
    "rotation_period": "PT4S",
    "max_token_lifetime": "PT30S",
    "max_published_keys": 10,
}
"""For clients whose cooldown is a second."""


async def travel(data: Path, policy: dict[str, Any], make: Callable[[Policy], Sequence[Program]]) -> None:
    """A tenant for each algorithm, both at once, each with parties of its own."""
    await set_before(data, {algorithm.lower(): policy for algorithm in ALGORITHMS})
    async with service(data) as here, asyncio.TaskGroup() as group:
        for algorithm in ALGORITHMS:
            group.create_task(journey(here, algorithm.lower(), {**policy, "algorithm": algorithm}, make))


async def journey(here: Service, tenant: str, policy: dict[str, Any], make: Callable[[Policy], Sequence[Program]]) -> None:
    """A new tenant's first key is RS256, so with another algorithm the first rotation changes it."""
    await here.create(tenant)
    answer = await here.ask("PUT", f"/v1/tenants/{tenant}/keys/policy", json=policy)
    assert answer.status_code == 200, answer.text
    discovery = (await here.get(f"/t/{tenant}/.well-known/openid-configuration")).json()
    way = Journey(here, tenant, policy)
    async with AsyncExitStack() as stack:
        arguments = discovery["jwks_uri"], discovery["issuer"], AUDIENCE
        starting = (party(program, check(program.caching, way.policy), *arguments) for program in make(way.policy))
        way.parties = [await stack.enter_async_context(one) for one in starting]
        await way.begin()
        await way.rotate()
        await way.rotate()
        await way.compromise()
    show(way)


def show(way: Journey) -> None:
    """A table of what was measured, in seconds. What is predicted counts on tokens of the key that takes over as soon as it may sign."""
    print(f"\n{way.tenant}: nobody refused a token in two planned rotations.")
    print(f"After the compromise, in seconds (the key that takes over began to sign after {way.takeover / 1000:.1f}):")
    print("library  | accepted in all | bad key accepted for | predicted | good keys refused for | predicted | refusal of the bad key")
    for one in way.parties:
        measured = (one.exposed_for, one.predicted.exposed_for, one.refused_for, one.predicted.refused_for)
        exposed, exposed_bound, refused, refused_bound = (f"{value / 1000:.1f}" for value in measured if value is not None)
        row = f"{one.name:8} | {one.accepted:15} | {exposed:>20} | {exposed_bound:>9} | {refused:>21} | {refused_bound:>9}"
        print(f"{row} | {one.refusal}")


async def test_python_clients_notice_no_rotation_and_get_over_an_emergency(tmp_path: Path) -> None:
    """With a cooldown of one second for PyJWT instead of its thirty, which would make this take two minutes; the long test has those."""
    await travel(tmp_path / "data", BRISK, lambda policy: [programs.pyjwt(cooldown=1000), programs.joserfc(policy)])


@pytest.mark.long
async def test_clients_of_four_languages_as_their_users_have_them_do_so_too(tmp_path: Path) -> None:
    """Every cache as it is by default. Two minutes."""
    others = [made(programs.jose, "jose (npm)"), made(programs.go_oidc, "go-oidc"), made(programs.nimbus, "nimbus")]
    await travel(tmp_path / "data", BY_DEFAULT, lambda policy: [programs.joserfc(policy), programs.pyjwt(), *others])
