"""What waits for a second person, in words."""

from __future__ import annotations

import msgspec
import pytest

from dashboards.console.approvals import ApprovalView, Viewer, approval_views, dual_control_words
from dashboards.console.frame import Frame
from dashboards.console.keys_page import KeysPage
from dashboards.console.render import render
from keyvault.events import ApprovalRequested, KeyCompromised, KeyEvent, PolicyChanged
from keyvault.orders import ActivateKey, ChangePolicy, CompromiseKey, DestroyKey, Order, Rotate
from keyvault.policy import Guard, Policy
from keyvault.ring import Ring
from tests.dashboards.test_keys_page import HOUR, KIDS, NEW, START

POLICY = Policy(algorithm=NEW[0].policy.algorithm, dual_control=(Guard.COMPROMISE, Guard.FORCE))
WHY = "found on a \u202elaptop"
ANYBODY = Viewer(lambda _: None, lambda _: True)


def ring(order: Order, *more: KeyEvent) -> Ring:
    request = ApprovalRequested(at=START, id="a1", order=order, asked_by="token:ada", until=START + HOUR)
    return Ring.fold((*NEW, PolicyChanged(at=START, policy=POLICY), request, *more))


def view(order: Order, *more: KeyEvent) -> ApprovalView:
    [found] = approval_views(ring(order, *more), START + HOUR // 2, ANYBODY)
    return found


@pytest.mark.parametrize(
    ("order", "title", "means"),
    [
        (CompromiseKey(kid=KIDS[0], reason=WHY), "Report a key as compromised", f"Key {KIDS[0]} leaves the JWKS at once"),
        (Rotate(activate=True, reason=WHY, instead_of=KIDS[0]), "Force a rotation", "without waiting for relying parties"),
        (ActivateKey(kid=KIDS[1], reason=WHY), "Force a key to sign", f"Key {KIDS[1]} signs at once"),
        (ChangePolicy(policy=Policy(algorithm=POLICY.algorithm)), "Change the policy", "dual_control from compromise, force to nothing"),
    ],
    ids=("compromise", "rotate", "activate", "policy"),
)
def test_each_says_what_comes_of_it(order: Order, title: str, means: str) -> None:
    found = view(order)
    assert found.title == title
    assert means in " ".join(found.says)
    assert found.asked == "token:ada asked for this 30 min ago."
    assert found.reason == order.reason
    assert "until 2026-11-23 17:51:50Z (in 30 min)" in found.says[-1]


def test_destroying_says_that_it_is_for_good() -> None:
    found = view(DestroyKey(kid=KIDS[0]), KeyCompromised(at=START, kid=KIDS[0], reason="seen"))
    assert (found.title, "for good" in " ".join(found.says)) == ("Destroy a key", True)


def test_forcing_says_whom_it_may_break() -> None:
    assert "refuse the new tokens until their cache expires" in " ".join(view(ActivateKey(kid=KIDS[1], reason=WHY)).says)


def test_what_makes_no_sense_any_more_says_so() -> None:
    found = view(ActivateKey(kid=KIDS[1], reason=WHY), KeyCompromised(at=START, kid=KIDS[1], reason="seen"))
    assert "It makes no sense just now: key " in " ".join(found.says)


def test_what_has_expired_is_not_shown() -> None:
    assert approval_views(ring(CompromiseKey(kid=KIDS[0], reason=WHY)), START + HOUR, ANYBODY) == ()


def test_who_may_not_approve_reads_why_and_gets_no_button() -> None:
    asked = ring(CompromiseKey(kid=KIDS[0], reason=WHY))
    who_asked, reader = Viewer(lambda _: "You asked for it.", lambda _: True), Viewer(lambda _: "No.", lambda _: False)
    for viewer, buttons in ((ANYBODY, 2), (who_asked, 1), (reader, 0)):
        views = approval_views(asked, START, viewer)
        page = render(KeysPage.of("acme", asked, START, issuer="https://id.example", may_rotate=False, approvals=views), Frame())
        assert page.count("<button") == buttons
        assert "found on a <i>RLO</i>laptop" in page


def test_the_policy_says_what_takes_two() -> None:
    assert dual_control_words(Policy()) == "nothing"
    assert dual_control_words(POLICY) == "compromise, force; approved within 1 hour"
    assert "approved within 30 minutes" in dual_control_words(msgspec.structs.replace(POLICY, approval_window=HOUR // 2))
