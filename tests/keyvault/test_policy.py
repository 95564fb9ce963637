"""Policies are judged as a whole, and say what is wrong."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyvault.algorithms import Algorithm
from keyvault.durations import SECOND
from keyvault.errors import InvalidPolicy
from keyvault.policy import Guard, Policy

SHORTEST = {
    "rotation_period": "PT6S",
    "publish_ahead": "PT2S",
    "max_token_lifetime": "PT1S",
    "clock_skew": "PT0S",
    "jwks_max_age": "PT1S",
}


def test_the_defaults_are_those_of_the_design() -> None:
    assert Policy.parse({}).render() == {
        "algorithm": "RS256",
        "rotation_period": "P90D",
        "publish_ahead": "PT25H",
        "max_token_lifetime": "PT1H",
        "clock_skew": "PT5M",
        "jwks_max_age": "PT5M",
        "max_published_keys": 5,
        "readiness_limit": "P7D",
        "dual_control": [],
        "approval_window": "PT1H",
    }
    assert Policy.parse({}) == Policy()


def test_a_policy_of_seconds_is_fine() -> None:
    policy = Policy.parse(SHORTEST)
    assert (policy.rotation_period, policy.publish_ahead, policy.clock_skew) == (6 * SECOND, 2 * SECOND, 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"publish_ahead": "PT10M"}, r"publish_ahead must exceed jwks_max_age plus clock_skew \(PT10M\)"),
        ({"rotation_period": "PT25H"}, r"rotation_period must exceed publish_ahead \(PT25H\)"),
        ({"jwks_max_age": "PT0S"}, "jwks_max_age must be between PT1S and P1D"),
        ({"clock_skew": "-PT1S"}, "clock_skew: '-PT1S' is not a duration"),
        ({"rotation_period": "P3M"}, "rotation_period: 'P3M' is not a duration"),
        ({"rotation_period": "P3651D"}, "rotation_period must be between"),
        ({"rotation_period": 90}, "rotation_period: 90 is not a duration"),
        ({"max_published_keys": 1}, "max_published_keys must be between 2"),
        ({"max_published_keys": 21}, "max_published_keys must be between 2"),
        ({"max_published_keys": True}, "whole number"),
        ({"max_published_keys": "5"}, "whole number"),
        ({"algorithm": "HS256"}, "algorithm 'HS256' is not supported; supported are RS256"),
        ({"algorithm": None}, "algorithm None"),
        ({"dual_control": ["force", "sign"]}, "dual_control is a list of any of compromise, destroy, force, and not"),
        ({"dual_control": "force"}, "dual_control is a list of any of compromise, destroy, force, and not 'force'"),
        ({"dual_control": [1]}, "dual_control is a list"),
        ({"approval_window": "PT0S"}, "approval_window must be between PT1S and P7D"),
        ({"approval_window": "P8D"}, "approval_window must be between PT1S and P7D"),
        ({"rotation": "P1D"}, "unknown setting 'rotation'; there are algorithm, rotation_period"),
    ],
)
def test_what_would_break_relying_parties_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidPolicy, match=message):
        Policy.parse(settings)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InvalidPolicy) as raised:
        Policy.parse({"publish_ahead": "PT5M", "rotation_period": "PT1M"})
    assert len(raised.value.problems) == 2


@given(
    st.builds(
        Policy,
        algorithm=st.sampled_from(Algorithm),
        rotation_period=st.integers(1, 10**9),
        publish_ahead=st.integers(1, 10**9),
        max_token_lifetime=st.integers(1, 10**9),
        clock_skew=st.integers(0, 10**6),
        jwks_max_age=st.integers(1, 10**6),
        max_published_keys=st.integers(1, 21),
        dual_control=st.sets(st.sampled_from(Guard)).map(lambda guards: tuple(sorted(guards))),
        approval_window=st.integers(1, 10**9),
    )
)
def test_what_was_rendered_parses_to_the_same_or_is_refused_for_the_same_reasons(policy: Policy) -> None:
    if problems := policy.problems():
        with pytest.raises(InvalidPolicy) as raised:
            Policy.parse(policy.render())
        assert list(raised.value.problems) == problems
    else:
        assert Policy.parse(policy.render()) == policy


def test_a_rhythm_that_can_not_be_kept_is_told() -> None:
    assert Policy().warnings() == []
    assert Policy.parse(SHORTEST).warnings() == []
    [warning] = Policy.parse({**SHORTEST, "max_token_lifetime": "PT1M"}).warnings()
    assert "12 keys would have to be published at once" in warning


def test_what_is_under_dual_control_comes_in_one_order() -> None:
    assert Policy.parse({"dual_control": ["force", "compromise", "force"]}).dual_control == (Guard.COMPROMISE, Guard.FORCE)


def test_a_compromise_that_waits_for_somebody_is_warned_of() -> None:
    assert Policy.parse({"dual_control": ["destroy", "force"]}).warnings() == []
    [warning] = Policy.parse({"dual_control": ["compromise"]}).warnings()
    assert "stays in the JWKS" in warning


@pytest.mark.parametrize(
    ("before", "after", "weaker"),
    [
        ({}, {"dual_control": ["force"]}, False),
        ({}, {"approval_window": "P7D"}, False),
        ({"dual_control": ["force"]}, {"dual_control": ["force", "destroy"]}, False),
        ({"dual_control": ["force"]}, {"dual_control": ["force"], "algorithm": "ES256", "rotation_period": "P30D"}, False),
        ({"dual_control": ["force"]}, {"dual_control": ["force"], "publish_ahead": "PT26H"}, False),
        ({"dual_control": ["force"]}, {"dual_control": ["destroy", "compromise"]}, True),
        ({"dual_control": ["force"]}, {}, True),
        ({"dual_control": ["destroy"]}, {"dual_control": ["destroy"], "approval_window": "PT2H"}, True),
        ({"dual_control": ["destroy"]}, {"dual_control": ["destroy"], "approval_window": "PT1S"}, True),
        ({"dual_control": ["force"]}, {"dual_control": ["force"], "publish_ahead": "PT24H"}, True),
        ({"dual_control": ["force"]}, {"dual_control": ["force"], "readiness_limit": "PT0S"}, True),
        ({"dual_control": ["force"]}, {"dual_control": ["force"], "jwks_max_age": "PT1S"}, True),
        ({"dual_control": ["force"]}, {"dual_control": ["force"], "clock_skew": "PT0S"}, True),
        ({"dual_control": ["destroy"]}, {"dual_control": ["destroy"], "publish_ahead": "PT24H"}, False),
    ],
)
def test_what_lets_one_person_do_what_took_two_is_weaker(before: dict[str, Any], after: dict[str, Any], weaker: bool) -> None:
    assert Policy.parse(before).weakened_by(Policy.parse(after)) is weaker


def test_a_policy_of_the_log_from_before_dual_control_has_none() -> None:
    old = msgspec.to_builtins(Policy())
    for name in ("dual_control", "approval_window"):
        del old[name]
    assert msgspec.convert(old, Policy) == Policy()
