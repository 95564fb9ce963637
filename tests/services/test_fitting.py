"""Tables on terminals of any width: what is short is never broken, and what matters less is shortened or left out."""

from __future__ import annotations

import io
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from services.cli import keys, output
from services.cli.fitting import GAP, fitted

EVENT = {
    "@timestamp": "2026-11-27T05:59:50.123Z",
    "event.action": "login_error",
    "event.outcome": "failure",
    "user.name": "someone.with.a.long.name@globex.example",
    "client.id": "account-console-of-globex",
    "source.ip": "203.0.113.117",
    "event.reason": "invalid_user_credentials",
}
KID = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
KEY = {"kid": KID, "algorithm": "RS256", "state": "pre-activation", **dict.fromkeys(keys._COLUMNS[3:], EVENT["@timestamp"])}


def shown(monkeypatch: pytest.MonkeyPatch, width: int, row: dict[str, str], shorten: tuple[str, ...], drop: tuple[str, ...]) -> list[str]:
    """The lines of a table with one row, as a terminal of that width has them."""
    console = Console(file=io.StringIO(), width=width, highlight=False, markup=False, emoji=False)
    monkeypatch.setattr(output, "out", console)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    output.print_table(tuple(row), [tuple(row.values())], shorten=shorten, drop=drop)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [80, 100, 120, 160, 240])
def test_events_and_keys_are_one_line_each_with_states_and_times_whole(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    header, line = shown(monkeypatch, width, EVENT, ("user.name", "client.id", "event.reason"), ("event.reason", "client.id", "source.ip"))
    assert line.startswith("2026-11-27T05:59:50.123Z  login_error   failure        someone.wit")
    assert len(header.split()) == len(line.split())
    header, line = shown(monkeypatch, width, KEY, ("kid",), ("published_at", "algorithm", "publish_until"))
    assert header.split() == [name for name in keys._COLUMNS if name in header.split()]
    assert line.startswith(KID[:11])
    assert {"pre-activation", EVENT["@timestamp"]} <= set(line.split())
    assert max(map(len, (header, line))) <= width
    if width == 240:
        assert KID in line


def test_what_may_not_be_cut_goes_on_in_the_next_line(monkeypatch: pytest.MonkeyPatch) -> None:
    _, *lines = shown(monkeypatch, 60, {"@timestamp": EVENT["@timestamp"], "message": "word " * 30 + "end"}, (), ())
    assert len(lines) > 1
    assert [word for line in lines for word in line.split() if word not in {"word", EVENT["@timestamp"]}] == ["end"]


NAMES = st.sampled_from("abcdefg")


@given(st.dictionaries(NAMES, st.integers(1, 60), min_size=1), st.integers(1, 200), st.sets(NAMES), st.lists(NAMES, unique=True))
def test_no_column_is_wider_than_its_values_and_none_goes_that_fits(
    widths: dict[str, int], room: int, shorten: set[str], drop: list[str]
) -> None:
    found = fitted(widths, room, shorten=shorten, drop=drop)
    assert list(found) == [name for name in widths if name in found]
    assert all(found[name] <= widths[name] for name in found)
    assert set(widths) - set(found) <= set(drop)
    if sum(widths.values()) + GAP * (len(widths) - 1) <= room:
        assert found == widths
    gone = [name for name in drop if name in widths and name not in found]
    assert gone == [name for name in drop if name in widths][: len(gone)], "the first ones first"
