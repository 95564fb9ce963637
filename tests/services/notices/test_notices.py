"""The fold of notices: the same for whoever folds the same events."""

from __future__ import annotations

from typing import Any

import pytest

from keyvault.durations import HOUR
from services.notices.line import KEPT, MOST_WAITING
from services.notices.notice import NoticeState
from services.notices.notices import Notices
from streams.control_log import ControlEvent

NOW = 1_800_000_000_000


def event(kind: str, at: int = NOW, **data: Any) -> tuple[str, ControlEvent]:
    return "acme", ControlEvent(type=kind, at=at, by="test", data=data)


def registered(name: str, webhook: str | None = "https://rp.example/hook", at: int = NOW) -> tuple[str, ControlEvent]:
    return event("relying_party_registered", at, relying_party={"id": name, "name": name, "webhook": webhook})


def fold(*events: tuple[str, ControlEvent]) -> Notices:
    notices = Notices()
    for key, one in events:
        notices.apply(key, one)
    return notices


def test_each_key_event_waits_for_each_relying_party_with_a_webhook() -> None:
    notices = fold(registered("web"), registered("app", None), event("key_prepared", kid="1"), event("key_destroyed", kid="0"))
    assert list(notices.waiting()) == [("acme", "web")]
    head = notices.head("acme", "web")
    assert head is not None
    assert (head.event, head.kid, head.attempts, head.due_at) == ("key_prepared", "1", 0, NOW)
    assert notices.of("acme", "app") == []
    assert notices.of("acme", "nobody") is None
    assert notices.of("globex", "web") is None


def test_folding_again_gives_the_same_ids() -> None:
    history = [registered("web"), event("key_prepared", kid="1"), event("key_activated", kid="1")]
    assert fold(*history).of("acme", "web") == fold(*history).of("acme", "web")


def test_a_claim_holds_until_its_lease_ends_and_a_failure_waits_for_its_time() -> None:
    notices = fold(registered("web"), event("key_prepared", kid="1"))
    head = notices.head("acme", "web")
    assert head is not None
    mine: dict[str, Any] = {"relying_party_id": "web", "id": head.id, "attempt": 1}
    notices.apply(*event("notice_claimed", **mine, until=NOW + 60_000))
    claimed = notices.head("acme", "web")
    assert claimed is not None
    assert (claimed.due_at, claimed.attempts) == (NOW + 60_000, 1)
    notices.apply(*event("notice_failed", **mine, error="status", status=500, next_at=NOW + 1000))
    again = notices.head("acme", "web")
    assert again is not None
    assert (again.due_at, again.error, again.status) == (NOW + 1000, "status", 500)
    line = notices.line("acme", "web")
    assert line is not None
    assert line.failing
    notices.apply(*event("notice_delivered", NOW + 5, **mine, status=202))
    assert notices.head("acme", "web") is None
    [done] = line.all
    assert (done.state, done.ended_at, done.error, done.status) == (NoticeState.DELIVERED, NOW + 5, None, 202)
    assert not line.failing


def test_what_is_said_of_another_notice_than_the_first_changes_nothing() -> None:
    notices = fold(registered("web"), event("key_prepared", kid="1"))
    before = notices.of("acme", "web")
    notices.apply(*event("notice_delivered", relying_party_id="web", id="another", attempt=1))
    notices.apply(*event("notice_delivered", relying_party_id="nobody", id="another", attempt=1))
    assert notices.of("acme", "web") == before


def outcome(notices: Notices, name: str, kind: str, at: int = NOW, **data: Any) -> None:
    """What became of the waiting notice of this key event."""
    [found] = [one for one in notices.line("acme", "web").waiting if one.event == name]  # type: ignore[union-attr]
    notices.apply(*event(f"notice_{kind}", at, relying_party_id="web", id=found.id, **data))


def order(notices: Notices) -> list[tuple[str, int]]:
    """What waits, in the order in which it is tried, and how often it was."""
    return [(one.event, one.attempts) for one in notices.line("acme", "web").waiting]  # type: ignore[union-attr]


def test_a_compromise_comes_before_what_failed_and_brings_that_forward() -> None:
    notices = fold(registered("web"), event("key_prepared", kid="1"))
    outcome(notices, "key_prepared", "failed", error="status", next_at=NOW + HOUR)
    notices.apply(*event("key_activated", NOW + 1, kid="1"))
    assert notices.head("acme", "web").due_at == NOW + HOUR  # type: ignore[union-attr]
    notices.apply(*event("key_compromised", NOW + 2, kid="1", reason="x"))
    assert [name for name, _ in order(notices)] == ["key_compromised", "key_prepared", "key_activated"]
    assert [one.due_at for one in notices.line("acme", "web").waiting][:2] == [NOW + 2, NOW + 2]  # type: ignore[union-attr]
    assert [one.event for one in notices.of("acme", "web") or ()] == ["key_compromised", "key_activated", "key_prepared"]


@pytest.mark.parametrize("kind", ["failed", "delivered"])
def test_a_compromise_comes_next_when_one_is_under_way_whatever_becomes_of_that(kind: str) -> None:
    notices = fold(registered("web"), event("key_prepared", kid="1"), event("key_activated", kid="1"))
    outcome(notices, "key_prepared", "claimed", attempt=1, until=NOW + 60_000)
    notices.apply(*event("key_compromised", NOW + 2, kid="1", reason="x"))
    assert [name for name, _ in order(notices)] == ["key_prepared", "key_compromised", "key_activated"]
    outcome(notices, "key_prepared", kind, NOW + 3, error="status", status=500, next_at=NOW + HOUR)
    head = notices.head("acme", "web")
    assert head is not None
    assert (head.event, head.due_at) == ("key_compromised", NOW + 2)


def test_a_compromise_does_not_wait_for_one_that_failed_nor_overtakes_one_that_was_not_tried() -> None:
    notices = fold(registered("web"), event("key_activated", kid="1"), event("key_compromised", NOW + 1, kid="1", reason="x"))
    notices.apply(*event("key_compromised", NOW + 2, kid="2", reason="x"))
    line = notices.line("acme", "web")
    assert line is not None
    assert [one.kid for one in line.waiting] == ["1", "2", "1"]
    first = line.waiting[0].id
    notices.apply(*event("notice_claimed", NOW + 2, relying_party_id="web", id=first, attempt=1, until=NOW + 60_000))
    notices.apply(*event("notice_failed", NOW + 3, relying_party_id="web", id=first, error="status", next_at=NOW + HOUR))
    assert [one.kid for one in line.waiting] == ["2", "1", "1"]


def test_an_outcome_counts_though_a_compromise_has_come_before_its_notice() -> None:
    notices = fold(registered("web"), event("key_prepared", kid="1"))
    outcome(notices, "key_prepared", "claimed", attempt=1, until=NOW + 1)
    notices.apply(*event("key_compromised", NOW + 2, kid="1", reason="x"))
    assert order(notices) == [("key_compromised", 0), ("key_prepared", 1)], "its lease had ended"
    outcome(notices, "key_prepared", "delivered", NOW + 3, status=202)
    assert order(notices) == [("key_compromised", 0)]


def test_a_full_line_drops_no_compromise() -> None:
    events = [event("key_prepared", NOW + 1 + number, kid=str(number)) for number in range(MOST_WAITING + 5)]
    notices = fold(registered("web"), event("key_compromised", kid="bad", reason="x"), *events)
    assert notices.head("acme", "web").kid == "bad"  # type: ignore[union-attr]
    assert len(order(notices)) == MOST_WAITING


def test_a_line_is_bounded_and_drops_the_oldest() -> None:
    events = [event("key_prepared", NOW + number, kid=str(number)) for number in range(MOST_WAITING + KEPT + 5)]
    notices = fold(registered("web"), *events)
    line = notices.line("acme", "web")
    assert line is not None
    assert (len(line.waiting), len(line.done)) == (MOST_WAITING, KEPT)
    assert {(one.state, one.error) for one in line.done} == {(NoticeState.ABANDONED, "too_many")}
    assert line.waiting[-1].kid == str(MOST_WAITING + KEPT + 4)


def test_a_relying_party_that_is_removed_and_registered_again_begins_anew() -> None:
    notices = fold(registered("web"), event("key_prepared", kid="1"), event("relying_party_removed", id="web"), registered("web"))
    assert notices.of("acme", "web") == []
