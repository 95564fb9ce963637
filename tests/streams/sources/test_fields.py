"""Times and ids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.dead_letters import Reason
from streams.errors import DecodeError
from streams.sources.fields import MAX_ID_BYTES, identity, milliseconds, parse_instant

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-23T16:51:50.932Z", 1795452710932),
        ("2026-11-23T17:51:50.932+01:00", 1795452710932),
        ("2026-11-23t16:51:50.932999999z", 1795452710932),
        ("2026-11-23 16:51:50,9Z", 1795452710900),
        ("1969-12-31T23:59:59.999Z", -1),
        ("2016-12-31T23:59:60Z", 1483228800000),
        ("0001-01-01T00:00:00+23:59", -62135683140000),
        ("9999-12-31T23:59:59.999-23:59", 253402387139999),
    ],
)
def test_iso_times_become_epoch_milliseconds(text: str, ms: int) -> None:
    assert parse_instant(text) == ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "1795452710932",
        "2026-11-23",
        "2026-11-23T16:51:50",
        "2026-02-30T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T16:60:00Z",
        "2026-11-23T16:51:61Z",
        "2026-11-23T16:51:50+24:00",
        "2026-11-23T16:51:50.Z",
        "٢٠٢٦-11-23T16:51:50Z",
        "2026-11-23T16:51:50Z\n",
    ],
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert parse_instant(text) is None


@given(st.datetimes(timezones=ZONES))
def test_times_agree_with_datetime(time: datetime) -> None:
    assert parse_instant(time.isoformat(timespec="microseconds")) == (time - EPOCH) // timedelta(milliseconds=1)


def test_milliseconds_may_be_implausible_but_must_be_integers() -> None:
    assert milliseconds({"time": 10**30}, "time") == 10**30
    assert milliseconds({"time": -5}, "time") == -5
    assert milliseconds({"time": 1.795452710932e12}, "time") == 1795452710932
    assert milliseconds({"time": None}, "time") is None
    wrong: tuple[object, ...] = ("1795452710932", True, 1.5, [], {})
    for value in wrong:
        with pytest.raises(DecodeError, match="`time` must be epoch milliseconds") as caught:
            milliseconds({"time": value}, "time")
        assert caught.value.reason == Reason.WRONG_TYPE


def test_ids_too_long_for_a_document_are_hashed() -> None:
    assert identity(None) is None
    assert identity("a" * MAX_ID_BYTES) == "a" * MAX_ID_BYTES
    assert identity("é" * (MAX_ID_BYTES // 2)) == "é" * (MAX_ID_BYTES // 2)
    hashed = identity("a" * 10_000)
    assert hashed is not None
    assert hashed.startswith("sha256:")
    assert hashed != identity("a" * 10_001)
    assert len(identity("é" * MAX_ID_BYTES) or "") == len(hashed)
