"""The page of a key that has leaked, for each state that a key can be in."""

from __future__ import annotations

from dashboards.console.compromise_page import CompromisePage, expected, reported
from dashboards.console.frame import Frame
from dashboards.console.render import render
from keyvault import commands
from keyvault.blast_radius import blast_radius
from keyvault.durations import DAY, HOUR, MINUTE
from keyvault.events import RelyingPartyRegistered
from keyvault.policy import Guard
from keyvault.relying_party import RelyingParty
from keyvault.usage import Usage
from tests.keyvault.made import KEPT, NOW, POLICY, History, settled, with_policy

AT = NOW + DAY


def page(history: History, kid: str, now: int = AT, *, may_report: bool = True, usage: Usage | None = None) -> CompromisePage:
    found = blast_radius(history.ring, kid, usage, now)
    return CompromisePage.of("acme", history.ring, found, now, may_report=may_report)


def kid_of(history: History, ordinal: int) -> str:
    return history.ring.keys[ordinal - 1].kid


def report(history: History, kid: str, *, away: bool = False) -> None:
    history.carry_out(commands.compromise(history.ring, POLICY, AT, kid, reason="a test"), away=away)


def test_the_key_that_signs_is_taken_over_by_two_others() -> None:
    history = settled()
    shown = page(history, kid_of(history, 1))
    assert shown.expects == page(history, kid_of(history, 1), AT + HOUR).expects, "time goes on"
    assert shown.says[0].startswith("It leaves the JWKS at once")
    assert f"Key {kid_of(history, 2)} signs at once." in shown.says[1]
    assert "takes over 10 minutes later, at about 2027-01-16 08:10:00Z" in shown.says[2]
    assert "<form" in render(shown, Frame())


def test_that_it_is_for_ever_is_said_before_and_that_it_can_be_destroyed_afterwards() -> None:
    history, destroy = settled(), "tenantry keys destroy acme -- "
    before = page(history, kid_of(history, 1))
    assert "It can't be taken back" in before.says[-1]
    assert destroy not in render(before, Frame())
    report(history, kid_of(history, 1))
    assert f"{destroy}<bdi>{kid_of(history, 1)}" in render(page(history, kid_of(history, 1)), Frame())
    history.carry_out(commands.destroy(history.ring, POLICY, AT, kid_of(history, 1)))
    assert destroy not in render(page(history, kid_of(history, 1)), Frame())


def test_a_standby_that_is_new_is_not_said_to_be_known() -> None:
    history = settled()
    shown = page(history, kid_of(history, 1), NOW + MINUTE)
    assert "so relying parties know it" not in str(shown.says)
    assert "not all relying parties surely know it before 2027-01-16 09:00:00Z." in shown.says[1]
    assert "Z, so relying parties know it." in page(history, kid_of(history, 1), AT + HOUR).says[1]


def test_what_takes_a_second_person_is_not_said_to_happen_at_once() -> None:
    history, policy = settled(), with_policy(dual_control=(Guard.COMPROMISE,))
    history.carry_out(commands.change_policy(history.ring, policy, NOW))
    shown = page(history, kid_of(history, 1))
    assert "until it is given, the key stays in the JWKS" in shown.says[0]
    assert "It leaves the JWKS at once" not in str(shown.says)
    assert "takes over 10 minutes later." in shown.says[3]


def test_a_form_is_made_for_the_keys_the_policy_and_the_relying_parties_that_were_shown() -> None:
    history = settled()
    kid = kid_of(history, 1)
    made = [expected(history.ring, kid), expected(history.ring, kid_of(history, 2))]
    for library in ("go-oidc", "jose"):
        history.append([RelyingPartyRegistered(at=NOW, relying_party=RelyingParty(id="old", name="Old", library=library))])
        made.append(expected(history.ring, kid))
    history.carry_out(commands.change_policy(history.ring, with_policy(dual_control=(Guard.COMPROMISE,)), NOW))
    made.append(expected(history.ring, kid))
    report(history, kid_of(history, 2), away=True)
    made.append(expected(history.ring, kid))
    assert len(set(made)) == len(made)


def test_without_a_standby_a_new_key_signs_at_once() -> None:
    history = settled()
    report(history, kid_of(history, 2), away=True)
    assert history.ring.standby is None
    assert "There is no standby" in page(history, kid_of(history, 1)).says[1]


def test_a_standby_and_a_retired_key_end_nothing() -> None:
    history = settled()
    assert "A new standby is published" in page(history, kid_of(history, 2)).says[1]
    history.carry_out(commands.rotate(history.ring, POLICY, AT, activate=True, reason="a test"))
    assert "It signs no more" in page(history, kid_of(history, 1)).says[1]


def test_a_destroyed_key_can_not_be_reported() -> None:
    history = settled()
    history.carry_out(commands.rotate(history.ring, POLICY, AT, activate=True, reason="a test"))
    history.settle(AT + KEPT + HOUR)
    shown = page(history, kid_of(history, 1), AT + KEPT + HOUR)
    assert shown.says[0].startswith("Not possible:")
    assert shown.expects is None
    assert "<form" not in render(shown, Frame())


def test_who_may_not_report_is_told_so() -> None:
    history = settled()
    assert "keys:revoke" in render(page(history, kid_of(history, 1), may_report=False), Frame())


def test_after_the_report_it_says_since_when_and_who_is_affected() -> None:
    history = settled()
    history.append([RelyingPartyRegistered(at=NOW, relying_party=RelyingParty(id="old", name="Old", library="go-oidc"))])
    kid = kid_of(history, 1)
    report(history, kid)
    shown = page(history, kid, AT + HOUR)
    assert (shown.reported_at, shown.says, shown.expects) == (AT, (), None)
    assert "This key was compromised" in render(shown, Frame())
    assert reported(history.ring, kid)[1] == f"Key {kid_of(history, 2)} signs."


def test_what_was_reported_while_the_key_store_was_away_signs_nothing() -> None:
    history = settled()
    report(history, kid_of(history, 2), away=True)
    report(history, kid_of(history, 1), away=True)
    assert "Nothing is signed until" in reported(history.ring, kid_of(history, 1))[1]


def test_clients_are_shown_with_most_tokens_first_and_the_rest_as_one() -> None:
    history, usage = settled(), Usage()
    for number in range(30):
        for _ in range(2 if number == 29 else 1):
            usage.add({"client_id": f"client <{number}>"}, AT + HOUR, AT, bytes(32))
    shown = page(history, kid_of(history, 1), usage=usage)
    assert shown.clients is not None
    assert (shown.clients[0], len(shown.clients), shown.more_clients) == (("client <29>", 2), 20, 10)
    assert "client &lt;29&gt;" in render(shown, Frame())
