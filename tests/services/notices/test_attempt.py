"""What an attempt comes to: pure."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyvault.durations import DAY, HOUR, SECOND
from services.errors import AddressRefused, NoAnswerInTime, OutboundError, TlsFailed, Unreachable
from services.notices.attempt import Attempt, Trouble, answered, failed, record
from services.notices.notice import Notice, notice_id
from services.outbound.client import Answer

NOW = 1_800_000_000_000


def notice(attempts: int = 1) -> Notice:
    return Notice(id="n", event="key_prepared", kid="k", at=NOW, next_at=NOW, attempts=attempts)


@pytest.mark.parametrize(
    ("answer", "attempt"),
    [
        (Answer(202, {}, b""), Attempt(status=202)),
        (Answer(200, {}, b""), Attempt(Trouble.STATUS, 200)),
        (Answer(204, {}, b""), Attempt(Trouble.STATUS, 204)),
        (Answer(301, {}, b""), Attempt(Trouble.REDIRECT, 301)),
        (Answer(400, {}, b'{"err": "access_denied"}'), Attempt(Trouble.REJECTED, 400, "access_denied")),
        (Answer(400, {}, b'{"err": "<script>"}'), Attempt(Trouble.REJECTED, 400, "other")),
        (Answer(400, {}, b'{"err": 7}'), Attempt(Trouble.STATUS, 400)),
        (Answer(400, {}, b'["err"]'), Attempt(Trouble.STATUS, 400)),
        (Answer(400, {}, b"[" * 16_384), Attempt(Trouble.STATUS, 400)),
        (Answer(400, {}, b"\xff"), Attempt(Trouble.STATUS, 400)),
        (Answer(403, {}, b'{"err": "access_denied"}'), Attempt(Trouble.STATUS, 403)),
        (Answer(503, {"retry-after": "120"}, b""), Attempt(Trouble.STATUS, 503, retry_after=120 * SECOND)),
        (Answer(503, {"retry-after": "-1"}, b""), Attempt(Trouble.STATUS, 503)),
        (Answer(503, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, b""), Attempt(Trouble.STATUS, 503)),
        (Answer(503, {"retry-after": "9" * 5000}, b""), Attempt(Trouble.STATUS, 503)),
    ],
)
def test_an_answer_is_read_as_rfc_8935_says(answer: Answer, attempt: Attempt) -> None:
    assert answered(answer) == attempt


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (AddressRefused("x"), Trouble.ADDRESS_REFUSED),
        (TlsFailed("x"), Trouble.UNTRUSTED),
        (NoAnswerInTime("x"), Trouble.TIMEOUT),
        (Unreachable("x"), Trouble.UNREACHABLE),
    ],
)
def test_no_answer_has_a_reason(error: OutboundError, trouble: Trouble) -> None:
    assert failed(error) == Attempt(trouble)


@given(st.integers(1, 10_000), st.floats(0, 1), st.integers(0, DAY - 1), st.integers(0, 10 * DAY))
def test_the_pause_doubles_up_to_an_hour_and_never_leaves_the_day(attempts: int, chance: float, age: int, retry_after: int) -> None:
    event = record(notice(attempts), "web", Attempt(Trouble.STATUS, 503, retry_after=retry_after), NOW + age, chance)
    assert event.type == "notice_failed"
    pause = event.data["next_at"] - NOW - age
    full = min(SECOND * 2 ** min(attempts - 1, 30), HOUR)
    assert event.data["next_at"] <= NOW + DAY
    assert 0 < pause <= max(full, min(retry_after, HOUR))
    assert pause >= full // 2 or event.data["next_at"] == NOW + DAY


@given(st.floats(0, 1), st.sampled_from([Trouble.STATUS, Trouble.TIMEOUT, Trouble.ADDRESS_REFUSED]), st.integers(DAY, 10 * DAY))
def test_after_a_day_it_is_abandoned(chance: float, trouble: Trouble, age: int) -> None:
    assert record(notice(), "web", Attempt(trouble), NOW + age, chance).type == "notice_abandoned"


@pytest.mark.parametrize("trouble", [Trouble.NOT_SIGNED, Trouble.INTERRUPTED])
def test_our_own_trouble_abandons_nothing(trouble: Trouble) -> None:
    event = record(notice(), "web", Attempt(trouble), NOW + 3 * DAY, 0.5)
    assert event.type == "notice_failed"
    assert event.data["next_at"] >= NOW + 3 * DAY


@pytest.mark.parametrize("err", ["invalid_key", "authentication_failed"])
def test_who_may_yet_fetch_our_key_is_asked_again_until_the_day_is_over(err: str) -> None:
    rejected = Attempt(Trouble.REJECTED, 400, err)
    again = record(notice(), "web", rejected, NOW, 0)
    assert (again.type, again.data["next_at"], again.data["err"]) == ("notice_failed", NOW + SECOND, err)
    assert record(notice(), "web", rejected, NOW + DAY, 0).type == "notice_abandoned"


@pytest.mark.parametrize("err", ["invalid_request", "invalid_issuer", "invalid_audience", "access_denied", "other"])
def test_any_other_error_of_rfc_8935_is_final(err: str) -> None:
    assert record(notice(), "web", Attempt(Trouble.REJECTED, 400, err), NOW, 0).type == "notice_abandoned"


def test_an_id_is_of_one_tenant_one_relying_party_and_one_event() -> None:
    parts = [
        ("acme", "web", "key_prepared", "k", NOW),
        ("globex", "web", "key_prepared", "k", NOW),
        ("acme", "app", "key_prepared", "k", NOW),
        ("acme", "web", "key_activated", "k", NOW),
        ("acme", "web", "key_prepared", "l", NOW),
        ("acme", "web", "key_prepared", "k", NOW + 1),
    ]
    assert len({notice_id(*part) for part in parts}) == len(parts)
    assert notice_id(*parts[0]) == notice_id(*parts[0])
