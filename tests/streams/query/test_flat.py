"""Leaves of the source's own object: all of them, the first of many, and those at one path."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.fields import MAX_TERM_CHARACTERS, trim
from streams.query.flat import below, leaves, text_of, texts_at
from tests.streams.query.watched import Watched

KEYS = st.sampled_from(["a", "b", "a.b", "", ".", "b.a", "x" * MAX_TERM_CHARACTERS])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
)


def plainly(path: str, value: Any) -> list[tuple[str, str]]:
    """The leaves, said as simply as can be."""
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in plainly(below(path, key), inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in plainly(path, inner)]
    text = text_of(value)
    return [(trim(path), trim(text))] if text is not None else []


@given(VALUES)
def test_leaves_are_found_by_walking_and_by_their_paths(value: Any) -> None:
    expected = plainly("idp", value)
    assert sorted(leaves(value, "idp")) == sorted(expected)
    for path in {path for path, _ in expected if len(path) < MAX_TERM_CHARACTERS}:
        found = list(texts_at({"idp": value}, path, 10_000))
        assert sorted(found) == sorted(text for at, text in expected if at == path)


def test_texts_at_a_path_come_as_in_the_document() -> None:
    assert list(texts_at({"a": [{"b": 1}, {"b": [2, None, 3]}, 4]}, "a.b", 100)) == ["1", "2", "3"]
    assert list(texts_at({"a": {"b": {"c": 1}}}, "a.b", 100)) == []


@pytest.mark.parametrize("element", [0, None, {}, [], {"a": None}])
def test_what_is_looked_at_is_bounded_even_where_no_leaf_is(element: Any) -> None:
    watched = Watched([element] * 300_000)
    list(leaves({"x": watched}, "idp", 5000))
    assert 0 < watched.taken <= 5000
    watched = Watched([element] * 300_000)
    list(texts_at({"x": watched}, "x.a", 5000))
    assert 0 < watched.taken <= 5000


def test_a_path_of_many_dots_is_bounded_too() -> None:
    watched = Watched([{}] * 300_000)
    assert list(texts_at({"x": watched}, "x" + ".a" * 2000, 5000)) == []
    assert watched.taken <= 5


def test_paths_below_a_long_key_are_made_one_by_one() -> None:
    source = {"k" * 100_000: {str(n): n for n in range(100)}}
    tracemalloc.start()
    try:
        assert sum(1 for _ in leaves([source])) == 100
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000, "together they have ten million characters"
