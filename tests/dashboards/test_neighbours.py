"""Neighbours of an event: what they share with it, and how far they are from it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from dashboards.console.neighbours import EACH, Neighbours, shared
from streams.query.parser import parse
from streams.query.tree import And, Not, Term

OURS = Term("event.provider", "tenantry")


def event(number: int, **more: Any) -> dict[str, Any]:
    return {"event.id": f"e{number}", "@timestamp": f"2026-11-23T16:00:{number:02d}.000Z", "session.id": "s1", **more}


def at(number: int, ms: int) -> dict[str, Any]:
    return {**event(number), "@timestamp": f"2026-11-23T16:00:{number:02d}.{ms:03d}Z"}


def test_neighbours_share_a_session_a_user_and_an_address() -> None:
    found = shared(event(1, **{"user.id": "u1", "user.name": "alice", "source.ip": "192.0.2.1"}))
    assert [(one.field, one.value) for one in found] == [("session.id", "s1"), ("user.id", "u1"), ("source.ip", "192.0.2.1")]
    assert [one.field for one in shared({"user.name": "alice"})] == ["user.name"]
    assert shared({"session.id": "", "user.id": None, "source.ip": 7, "user.name": "x" * 600}) == ()


def test_what_they_share_is_asked_exactly_and_without_our_own_events() -> None:
    [one] = shared({"user.name": 'a" OR user.name:*'})
    assert parse(one.query, now=0) == And((Term("user.name", 'a" OR user.name:*'), Not(OURS)))
    [one] = shared({"user.name": "alice", "event.provider": "tenantry"})
    assert parse(one.query, now=0) == Term("user.name", "alice")


def test_they_stand_in_the_order_of_time_around_the_event() -> None:
    middle = event(30)
    [session] = shared(middle)
    found = Neighbours.of("acme", middle, session, [event(10), event(29)], [event(30, **{"event.id": "same"}), at(30, 250), event(59)])
    assert [(one.row.href[-3:].strip("/"), one.apart) for one in found.events] == [
        ("e10", "20 s before"),
        ("e29", "1 s before"),
        ("e30", "this event"),
        ("ame", "at the same moment"),
        ("e30", "250 ms after"),
        ("e59", "29 s after"),
    ]
    assert (found.alone, found.earlier, found.later) == (False, False, False)
    assert parse_qs(urlsplit(found.all).query) == {"q": ['session.id:"s1"'], "range": ["all"]}


def test_that_there_may_be_more_is_said() -> None:
    middle = event(30)
    [session] = shared(middle)
    found = Neighbours.of("acme", middle, session, [event(n) for n in range(EACH)], [])
    assert (found.alone, found.earlier, found.later) == (False, True, False)
    assert Neighbours.of("acme", middle, session, [], []).alone
