"""The key ring in words: what each state means, what a rotation would do, and what it did."""

from __future__ import annotations

import pytest

from dashboards.console.frame import Frame
from dashboards.console.keys_page import KeysPage
from dashboards.console.render import render
from dashboards.console.rotation import rotated, rotation
from keyvault.algorithms import Algorithm, generate
from keyvault.events import KeyActivated, KeyCompromised, KeyDeactivated, KeyDestroyed, KeyEvent, KeyPrepared, PolicyChanged
from keyvault.jwk import PublicJwk
from keyvault.plan import Outcome
from keyvault.policy import Policy
from keyvault.ring import Ring

START = 1_795_452_710_932  # 2026-11-23T16:51:50.932Z
HOUR = 3_600_000
JWKS = [PublicJwk.from_public_key(generate(Algorithm.ES256).public_key(), Algorithm.ES256) for _ in range(4)]
KIDS = [jwk.kid for jwk in JWKS]


def prepared(number: int, at: int = START) -> KeyPrepared:
    return KeyPrepared(at=at, kid=KIDS[number], ordinal=number + 1, algorithm=Algorithm.ES256, jwk=JWKS[number])


def activated(number: int, at: int = START) -> KeyActivated:
    return KeyActivated(at=at, kid=KIDS[number], token_lifetime=HOUR)


def page(now: int, *events: KeyEvent, may_rotate: bool = True) -> KeysPage:
    return KeysPage.of("acme", Ring.fold(events), now, issuer="https://id.example/t/acme", may_rotate=may_rotate)


NEW = (PolicyChanged(at=START, policy=Policy(algorithm=Algorithm.ES256)), prepared(0), activated(0), prepared(1))


def test_keys_come_in_the_order_of_their_use_and_say_what_they_do() -> None:
    shown = page(START + HOUR, *NEW)
    assert [(key.name, key.published) for key in shown.keys] == [("signing", True), ("standby", True)]
    assert shown.keys[0].meaning.startswith("Signs every new token.")
    assert "take over from 2026-11-24 17:51:50Z (in 24 h)" in shown.keys[1].meaning
    assert dict(shown.keys[1].times)["Takes over"] == START + 90 * 24 * HOUR


def test_a_policy_that_may_break_somebody_says_whom() -> None:
    hasty = Policy(algorithm=Algorithm.ES256, publish_ahead=2 * HOUR)
    assert page(START, *NEW).warnings == ()
    [warning] = page(START, *NEW, PolicyChanged(at=START, policy=hasty)).warnings
    assert "dotnet" in warning
    assert warning in render(page(START, *NEW, PolicyChanged(at=START, policy=hasty)), Frame())


def test_every_state_has_its_words() -> None:
    events = (
        *NEW,
        KeyDeactivated(at=START + HOUR, kid=KIDS[0], publish_until=START + 3 * HOUR),
        activated(1, START + HOUR),
        prepared(2, START + HOUR),
        KeyCompromised(at=START + 2 * HOUR, kid=KIDS[2], reason="on a\u202e laptop"),
        KeyDestroyed(at=START + 2 * HOUR, kid=KIDS[2]),
        prepared(3, START + 2 * HOUR),
        KeyCompromised(at=START + 2 * HOUR, kid=KIDS[3], reason="<b>on a\u202e laptop</b>"),
    )
    shown = page(START + 2 * HOUR, *events)
    assert [key.name for key in shown.keys] == ["signing", "compromised", "destroyed", "retiring"]
    assert "on a<i>RLO</i> laptop&lt;/b&gt;" in render(shown, Frame())
    assert page(START + 4 * HOUR, *events).keys[-1].name == "retired"


def test_a_standby_that_is_not_due_is_said_to_wait() -> None:
    ring = Ring.fold(NEW)
    before = rotation(ring, START + HOUR)
    assert before.button == "Rotate"
    assert "changes nothing" in " ".join(before.says)
    after = rotated(Outcome.WAITING, ring, KIDS[1], None, START + HOUR)
    assert after == (
        "Nothing was changed: the standby takes over on 2027-02-21 16:51:50Z (in 90 d).",
        "From 2026-11-24 17:51:50Z (in 24 h) on it is safe: a rotation then lets it sign at once.",
    )


def test_a_rotation_that_is_due_names_both_keys() -> None:
    now = START + 25 * HOUR
    before = rotation(Ring.fold(NEW), now)
    assert before.button == "Rotate now"
    assert KIDS[1] in before.says[0]
    assert f"Key {KIDS[0]} stops signing, and stays published until about 2026-11-24 19:01:50Z" in before.says[1]
    ring = Ring.fold((*NEW, KeyDeactivated(at=now, kid=KIDS[0], publish_until=now + HOUR), activated(1, now)))
    assert rotated(Outcome.ACTIVATED, ring, KIDS[1], "Mind this.", now) == (
        f"Done: key {KIDS[1]} signs every new token now.",
        "The key before it stays published until 2026-11-24 18:51:50Z, so that tokens signed with it still verify.",
        "Mind this.",
    )


def test_without_a_standby_one_is_created() -> None:
    assert rotation(Ring.fold(NEW[:3]), START).button == "Create the next key"
    assert "withdrawn" not in " ".join(rotation(Ring.fold(NEW[:3]), START).says)
    assert rotated(Outcome.CREATED, Ring.fold(NEW), KIDS[1], None, START)[0] == f"Done: key {KIDS[1]} was created and is in the JWKS."


def test_a_standby_of_another_algorithm_is_said_to_be_withdrawn() -> None:
    before = rotation(Ring.fold((*NEW, PolicyChanged(at=START, policy=Policy()))), START)
    assert before.button == "Create the next key"
    assert f"The standby {KIDS[1]} is withdrawn" in before.says[1]


def test_a_standby_of_another_algorithm_is_not_said_to_take_over() -> None:
    standby = page(START + HOUR, *NEW, PolicyChanged(at=START, policy=Policy())).keys[1]
    assert standby.name == "standby"
    assert "Takes over" not in dict(standby.times)
    assert standby.meaning.endswith("about to be replaced: the policy asks for RS256 now, so it does not take over by itself.")


def test_a_standby_whose_time_has_come_takes_over_now() -> None:
    late = START + 91 * 24 * HOUR
    assert dict(page(late, *NEW).keys[1].times)["Takes over"] == late


@pytest.mark.parametrize("later", [(KeyDeactivated(at=START + 1, kid=KIDS[1], publish_until=START + 1),), (prepared(1),)])
def test_a_promise_does_not_fit_a_ring_that_has_changed(later: tuple[KeyEvent, ...]) -> None:
    first = Ring.fold(NEW if isinstance(later[0], KeyDeactivated) else NEW[:3])
    second = first
    for event in later:
        second = second.apply(event)
    assert rotation(first, START).expects != rotation(second, START).expects


def test_who_may_not_rotate_gets_no_button() -> None:
    assert "<button" not in render(page(START, *NEW, may_rotate=False), Frame())
    assert "keys:rotate" in render(page(START, *NEW, may_rotate=False), Frame())


def test_an_empty_ring_has_a_page() -> None:
    assert "No key yet" in render(page(START), Frame())
