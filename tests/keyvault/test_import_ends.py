"""The end of an imported key that the key store has: it is destroyed, by a call that may be under way, and nothing brings it back."""

from __future__ import annotations

import pytest

from keyvault.due import Destroy, due
from keyvault.errors import WrongState
from keyvault.import_commands import INTERRUPTED, adopt, publish
from keyvault.key import KeyState
from keyvault.plan import Outcome
from tests.keyvault.made import NOW, POLICY
from tests.keyvault.test_import_commands import foreign, imported

END = NOW + INTERRUPTED
SKEW = POLICY.clock_skew


@pytest.mark.parametrize(("later", "private"), [(END, False), (END, True), (END - SKEW, False)])
def test_a_key_that_is_about_to_be_destroyed_is_not_published_again(later: int, private: bool) -> None:
    """On a node whose clock is ahead, by `clock_skew` at the most, its destruction may have begun."""
    ring = imported(1, until=END, private=True).ring
    assert due(ring, POLICY, later + SKEW) == [Destroy("idp-1")]
    with pytest.raises(WrongState, match="about to destroy it; use another key"):
        publish(ring, POLICY, later, [foreign()], later + INTERRUPTED, private=private)


@pytest.mark.parametrize("later", [END, END - SKEW])
def test_and_does_not_sign(later: int) -> None:
    ring = imported(1, until=END, private=True).ring
    with pytest.raises(WrongState, match="about to destroy it"):
        adopt(ring, POLICY, later, "idp-1", known_since=NOW)


def test_before_that_it_goes_on() -> None:
    ring, later = imported(1, until=END, private=True).ring, END - SKEW - 1
    assert adopt(ring, POLICY, later, "idp-1", known_since=NOW).outcome is Outcome.ACTIVATED
    assert publish(ring, POLICY, later, [foreign()], END, private=True).outcome is Outcome.UNCHANGED
    assert publish(ring, POLICY, later, [foreign()], END + 1).outcome is Outcome.IMPORTED


def test_a_standby_that_was_replaced_is_one_of_them() -> None:
    history = imported(1, 2, private=True)
    for kid in ("idp-1", "idp-2"):
        history.carry_out(adopt(history.ring, POLICY, NOW, kid))
    assert history.ring.find("idp-1").state is KeyState.DEACTIVATED
    assert Destroy("idp-1") in due(history.ring, POLICY, NOW)
    with pytest.raises(WrongState, match="about to destroy it"):
        publish(history.ring, POLICY, NOW, [foreign(1)], END, private=True)


def test_a_key_that_the_store_never_had_comes_back() -> None:
    ring = imported(1, until=END).ring
    assert publish(ring, POLICY, END, [foreign()], END + INTERRUPTED, private=True).outcome is Outcome.IMPORTED
