"""Forms of keys in the console, sent while another node changes the ring: what was promised is looked at where it is decided."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from streams.control_log import ControlEvent, Decide
from tests.platforms import Site
from tests.services.console_browser import browser

KEYS = "/v1/tenants/acme/keys"
Overtake = Callable[[Callable[[], Awaitable[object]]], None]


@pytest.fixture
async def here(here: Site) -> Site:
    await here.create("acme")
    return here


@pytest.fixture
def overtake(here: Site, monkeypatch: pytest.MonkeyPatch) -> Overtake:
    """Has a change come between the next order's arrival and its decision, as that of another node may."""
    control = here.platform.control
    commit = control.commit

    def with_change(change: Callable[[], Awaitable[object]]) -> None:
        async def after_change(key: str, decide: Decide) -> Sequence[ControlEvent]:
            monkeypatch.setattr(control, "commit", commit)
            await change()
            return await commit(key, decide)

        monkeypatch.setattr(control, "commit", after_change)

    return with_change


async def ring(here: Site) -> dict[str, Any]:
    """The keys by their states."""
    return {key["state"]: key["kid"] for key in (await here.operator.get(KEYS)).json()["keys"]}


async def test_a_key_signs_only_with_the_consequences_that_were_shown(here: Site, overtake: Overtake) -> None:
    team = await browser(here, "acme", "keys:read", "keys:rotate")
    before = await ring(here)
    path = f"/console/acme/keys/activate?kid={before['pre-activation']}"
    await team.open(path)
    form = {"csrf": team.hidden("csrf"), "expects": team.hidden("expects"), "reason": "audit"}
    party = {"name": "Late", "cached_for": "P30D"}
    overtake(lambda: here.operator.put("/v1/tenants/acme/relying-parties/late", json=party))
    answer = await team.press(path, **form)
    assert (answer.status_code, "nothing was done" in answer.text) == (409, True)
    assert "these may refuse its tokens: Late" in answer.text
    assert await ring(here) == before


async def test_a_key_is_reported_only_with_the_successor_that_was_shown(here: Site, overtake: Overtake) -> None:
    team = await browser(here, "acme", "keys:read", "keys:revoke")
    before = await ring(here)
    path = f"/console/acme/keys/compromise?kid={before['active']}"
    await team.open(path)
    form = {"csrf": team.hidden("csrf"), "expects": team.hidden("expects"), "reason": "leaked"}
    leaked = {"reason": "leaked, too"}
    overtake(lambda: here.operator.post(f"{KEYS}/{before['pre-activation']}/compromise", json=leaked))
    answer = await team.press(path, **form)
    assert (answer.status_code, "nothing was done" in answer.text) == (409, True)
    assert (await ring(here))["active"] == before["active"]


async def test_a_rotation_does_only_what_was_shown(here: Site, overtake: Overtake) -> None:
    team = await browser(here, "acme", "keys:read", "keys:rotate")
    before = await ring(here)
    await team.open("/console/acme/keys")
    form = {"csrf": team.hidden("csrf"), "expects": team.hidden("expects")}
    overtake(lambda: here.operator.post(f"{KEYS}/rotate", json={"activate": True, "reason": "audit"}))
    answer = await team.press("/console/acme/keys/rotate", **form)
    assert (answer.status_code, "nothing was done" in answer.text) == (409, True)
    assert (await ring(here))["active"] == before["pre-activation"]
