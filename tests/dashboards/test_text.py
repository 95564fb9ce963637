"""Hostile text on a page: escaped, isolated, shortened, and with nothing in it that can't be seen."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.console.text import isolated, json_escaped, plain, pretty, visible


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("a & \"b\" 'c'", "a &amp; &#34;b&#34; &#39;c&#39;"),
        ("\x1b[31mred\x07", "<i>ESC</i>[31mred<i>BEL</i>"),
        ("exe\u202egpj", "exe<i>RLO</i>gpj"),
        ("a\u2066b\u200db", "a<i>U+2066</i>b<i>U+200D</i>b"),
        ("line\nbreak\x00\x9b", "line<i>LF</i>break<i>NUL</i><i>U+009B</i>"),
        ("ad\u00admin\u00a0", "ad<i>SHY</i>min<i>NBSP</i>"),
        ("tag\U000e0041", "tag<i>U+E0041</i>"),
        ("مستخدم 日本 é", "مستخدم 日本 é"),
        ("", ""),
    ],
)
def test_what_can_not_be_seen_has_a_sign_and_the_rest_is_text(text: str, html: str) -> None:
    assert visible(text) == html


@given(st.text())
def test_no_text_brings_markup_of_its_own(text: str) -> None:
    rest = re.sub(r"<i>[A-Z0-9+]+</i>", "", visible(text))
    assert not set("<>\"'") & set(rest)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", rest)


def test_pretty_json_is_in_one_line_rather_than_many_times_as_long_as_it_came() -> None:
    value: Any = [0] * 300_000
    for _ in range(60):
        value = [value]
    text = pretty(value)
    assert len(text) < 1_000_000, "with its blanks it had 40 million"
    assert json.loads(text) == value
    assert pretty(["a\u200b" * 1000], 1000) == '["' + "a\\u200b" * 1000 + '"]'


def test_a_value_is_isolated_from_its_surroundings() -> None:
    assert isolated("alice") == "<bdi>alice</bdi>"


def test_a_long_value_is_cut_and_says_how_long_it_is() -> None:
    assert isolated("x" * 1_000_000, 3) == '<bdi>xxx…</bdi> <small class="cut">1,000,000 characters</small>'


@pytest.mark.parametrize(("value", "text"), [("a", "a"), (["a", "b"], "a, b"), (1.5, "1.5"), (True, "true"), ({"k": "é"}, '{"k": "é"}')])
def test_values_of_every_type_have_a_text(value: object, text: str) -> None:
    assert plain(value) == text


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_pretty_json_is_the_same_json_with_everything_in_it_visible(value: object) -> None:
    text = pretty(value)
    assert json.loads(text) == value
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text)


@given(st.text())
def test_what_is_escaped_as_in_json_is_seen_and_is_the_same_json(text: str) -> None:
    quoted = json.dumps(text, ensure_ascii=False)
    escaped = json_escaped(quoted)
    assert json.loads(escaped) == text
    assert json_escaped(escaped) == escaped
