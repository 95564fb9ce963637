"""Counting different things without remembering them."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyvault import base64url
from keyvault.distinct import STANDARD_ERROR, Distinct

SECRET = bytes(range(32))


def sketch(members: object, secret: bytes = SECRET) -> Distinct:
    made = Distinct()
    for member in members:  # type: ignore[attr-defined]
        made.add(str(member), secret)
    return made


def test_none_are_none() -> None:
    assert Distinct().estimate() == 0


@pytest.mark.parametrize("count", [1, 2, 10, 50])
def test_few_are_told_almost_exactly(count: int) -> None:
    assert abs(sketch(range(count)).estimate() - count) <= 1


@pytest.mark.parametrize("count", [300, 2_000, 5_000, 10_000, 100_000])
def test_many_are_told_within_what_is_promised(count: int) -> None:
    assert abs(sketch(range(count)).estimate() / count - 1) <= 3 * STANDARD_ERROR


def test_on_average_it_is_neither_too_many_nor_too_few() -> None:
    """Around the size at which the estimator of 2007 is biased."""
    estimates = [sketch(range(5_000), bytes([number]) * 32).estimate() for number in range(20)]
    assert abs(sum(estimates) / 20 / 5_000 - 1) <= STANDARD_ERROR


def test_a_member_counts_once_however_often_it_comes() -> None:
    assert sketch(["ada"] * 1000) == sketch(["ada"])


@given(st.sets(st.text()), st.sets(st.text()))
def test_joined_they_are_the_sketch_of_all(some: set[str], others: set[str]) -> None:
    joined = sketch(some)
    joined.join(sketch(others))
    assert joined == sketch(some | others)


@given(st.sets(st.text()))
def test_the_text_is_read_back(members: set[str]) -> None:
    assert Distinct.decode(sketch(members).encode()) == sketch(members)


def test_the_text_is_short_and_never_long() -> None:
    assert len(sketch(range(10)).encode()) < 150
    assert len(sketch(range(100_000)).encode()) < 1_500


def test_without_the_secret_nobody_can_ask_for_a_member() -> None:
    mine, guessed = sketch(["ada"]), sketch(["ada"], bytes(32))
    assert mine != guessed
    assert "ada" not in mine.encode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "?",
        base64url.encode(b"not packed"),
        base64url.encode(zlib.compress(bytes(2047))),
        base64url.encode(zlib.compress(bytes(2049))),
        base64url.encode(zlib.compress(b"\xff" * 2048)),
        base64url.encode(zlib.compress(bytes(100_000_000))),
    ],
    ids=["empty", "other-characters", "not-packed", "too-few", "too-many", "too-high", "a-bomb"],
)
def test_what_is_no_sketch_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a sketch|not base64url"):
        Distinct.decode(text)
