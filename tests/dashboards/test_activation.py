"""Letting a standby sign: what the page says before, and that its promise fits no other ring."""

from __future__ import annotations

from msgspec.structs import replace

from dashboards.console.activation import ActivatePage, activated, activation
from dashboards.console.frame import Frame
from dashboards.console.render import render
from keyvault import commands
from keyvault.durations import DAY, HOUR
from keyvault.events import RelyingPartyRegistered
from keyvault.plan import Outcome
from keyvault.policy import Guard
from keyvault.relying_party import RelyingParty
from tests.dashboards.hostile import HOSTILE, is_text
from tests.keyvault.made import NOW, POLICY, History, settled, with_policy

READY = NOW + 26 * HOUR
OLD = RelyingParty(id="old", name="Old", contact="old@example.com", cached_for=3 * DAY)


def standby(history: History) -> str:
    assert history.ring.standby is not None
    return history.ring.standby.kid


def page(history: History, kid: str, now: int, *, may: bool = True) -> str:
    return render(ActivatePage.of("acme", history.ring, kid, now, may_activate=may), Frame())


def test_a_key_that_all_have_signs_without_a_reason() -> None:
    history = settled()
    plan = activation(history.ring, READY, standby(history))
    assert (plan.button, plan.forced) == ("Let it sign now", False)
    assert "nobody is signed out" in " ".join(plan.says)
    assert f"Key {history.ring.keys[0].kid} stops signing, and stays published until about" in plan.says[1]
    assert 'name="reason"' not in page(history, standby(history), READY)


def test_one_that_is_too_early_says_whom_it_breaks_and_takes_a_reason() -> None:
    history = settled()
    history.append([RelyingPartyRegistered(at=NOW, relying_party=OLD)])
    plan = activation(history.ring, NOW + HOUR, standby(history))
    assert (plan.button, plan.forced) == ("Let it sign now, before it is safe", True)
    assert "it has been published for 1 hour only" in " ".join(plan.says)
    assert plan.says[-1] == "Of those that are registered, these may refuse its tokens: Old (old@example.com)."
    history.append([RelyingPartyRegistered(at=NOW, relying_party=replace(OLD, id="shop", name="Shop", library="spring"))])
    plan = activation(history.ring, history.ring.find(standby(history)).published_at + 1, standby(history))
    assert "Shop" not in plan.says[-2]
    fetch = "These fetch it when a token names it, unless a cache before them keeps the JWKS without it"
    assert plan.says[-1] == f"{fetch}: Shop (old@example.com)."
    assert 'name="reason"' in page(history, standby(history), NOW + HOUR)


def test_one_that_takes_two_says_so() -> None:
    history = settled()
    history.carry_out(commands.change_policy(history.ring, with_policy(dual_control=(Guard.FORCE,)), NOW))
    plan = activation(history.ring, NOW + HOUR, standby(history))
    assert plan.button == "Ask a second person"
    assert plan.says[0].startswith("The policy wants a second person's approval, within 1 hour.")
    assert activation(history.ring, READY, standby(history)).button == "Let it sign now"


def test_a_key_that_signs_or_is_over_has_no_button() -> None:
    history = settled()
    assert activation(history.ring, READY, history.ring.keys[0].kid).button is None
    history.carry_out(commands.rotate(history.ring, POLICY, READY))
    over = activation(history.ring, READY, history.ring.keys[0].kid)
    assert over.says[0].startswith("Not possible:")
    assert over.button is None
    assert "<form" not in page(history, history.ring.keys[0].kid, READY)


def test_a_promise_fits_no_other_outcome() -> None:
    history, promises = settled(), set()
    kid = standby(history)
    promises.add(activation(history.ring, NOW + HOUR, kid).expects)
    promises.add(activation(history.ring, READY, kid).expects)
    history.append([RelyingPartyRegistered(at=NOW, relying_party=OLD)])
    promises.add(activation(history.ring, NOW + HOUR, kid).expects)
    history.carry_out(commands.change_policy(history.ring, with_policy(dual_control=(Guard.FORCE,)), NOW))
    promises.add(activation(history.ring, NOW + HOUR, kid).expects)
    assert len(promises) == 4
    assert activation(history.ring, NOW + 2 * HOUR, kid).expects == activation(history.ring, NOW + HOUR, kid).expects


def test_who_may_not_is_told_so() -> None:
    history = settled()
    html = page(history, standby(history), READY, may=False)
    assert "keys:rotate" in html
    assert "<form" not in html


def test_what_it_came_to_is_told() -> None:
    history = settled()
    kid = standby(history)
    assert activated(Outcome.PENDING, history.ring, kid, None, NOW)[0].startswith("Asked for:")
    assert activated(Outcome.UNCHANGED, history.ring, kid, None, NOW) == (f"Nothing was changed: key {kid} signs already.",)
    history.carry_out(commands.activate(history.ring, POLICY, READY, kid))
    assert activated(Outcome.ACTIVATED, history.ring, kid, None, READY)[0] == f"Done: key {kid} signs every new token now."


def test_a_hostile_name_is_text() -> None:
    history = settled()
    history.append([RelyingPartyRegistered(at=NOW, relying_party=RelyingParty(id="x", name=HOSTILE, contact=HOSTILE, cached_for=3 * DAY))])
    assert is_text(page(history, standby(history), NOW + HOUR))
