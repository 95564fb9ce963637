"""What an attempt came to, and what follows from it (RFC 8935): pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

from keyvault.durations import DAY, HOUR, SECOND
from services.errors import AddressRefused, NoAnswerInTime, OutboundError, TlsFailed
from services.notices.notice import Notice
from services.outbound.client import Answer
from streams.control_log import ControlEvent

GIVE_UP_AFTER: Final = 1 * DAY
"""Since the event, in milliseconds. What could not be tried before is tried once."""
_FIRST: Final = 1 * SECOND
_LONGEST: Final = 1 * HOUR
_MOST_DOUBLED: Final = 20  # more would be above the longest anyway
_BY: Final = "tenantry"
_ERRORS: Final = frozenset(
    {"invalid_request", "invalid_key", "invalid_issuer", "invalid_audience", "authentication_failed", "access_denied"}
)  # RFC 8935 section 2.4
_MAY_HEAL: Final = frozenset({"invalid_key", "authentication_failed"})
"""What a receiver says that has not fetched the key yet that we sign with: once it has, it takes the same notice.

RFC 8935 section 2 lets a transmitter send again what failed of an error that may pass, naming keys that the recipient has not set up right
as an example; `invalid_key` is its code for a key that the recipient does not accept. We show who we are by the signature alone, so
`authentication_failed` means the same.
"""


class Trouble(StrEnum):
    """Why a notice was not taken: for programs, and without anything that the other side wrote."""

    UNREACHABLE = "unreachable"
    """There is no such host, no connection, or it broke."""
    UNTRUSTED = "untrusted"
    """TLS failed: the host does not prove to be who it is."""
    TIMEOUT = "timeout"
    """It took too long."""
    ADDRESS_REFUSED = "address_refused"
    """The webhook may not be called: it is not public."""
    REDIRECT = "redirect"
    """It answered with a redirect, which is not followed."""
    STATUS = "status"
    """It answered with another status than 202."""
    REJECTED = "rejected"
    """It refused the token, with an error of RFC 8935: for good, unless it does not know our key, which it may fetch yet."""
    NOT_SIGNED = "not_signed"
    """The token could not be signed: our trouble."""
    INTERRUPTED = "interrupted"
    """The service was stopped meanwhile, or the relying party has another webhook by now: our trouble, too."""
    NO_WEBHOOK = "no_webhook"
    """The relying party wants no notices any more."""
    TOO_MANY = "too_many"
    """Too many newer ones wait."""


_OURS: Final = frozenset({Trouble.NOT_SIGNED, Trouble.INTERRUPTED})


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one attempt came to.

    Attributes:
        trouble: why it failed; None: the relying party has taken the notice.
        status: of the answer, if there was one.
        err: the error of RFC 8935 that it was rejected with.
        retry_after: milliseconds that the other side wants us to wait.
    """

    trouble: Trouble | None = None
    status: int | None = None
    err: str | None = None
    retry_after: int = 0


def answered(answer: Answer) -> Attempt:
    """What the answer means. Only 202 takes a notice, and only 400 with an error of RFC 8935 rejects it."""
    status = answer.status
    if status == HTTPStatus.ACCEPTED:
        return Attempt(status=status)
    if status == HTTPStatus.BAD_REQUEST and (err := _err(answer.body)) is not None:
        return Attempt(Trouble.REJECTED, status, err)
    if 300 <= status < 400:
        return Attempt(Trouble.REDIRECT, status)
    after = answer.headers.get("retry-after", "")  # RFC 9110 section 10.2.3; its form as a date is not worth the trouble
    return Attempt(Trouble.STATUS, status, retry_after=int(after) * SECOND if after.isdecimal() and len(after) < 9 else 0)


def failed(error: OutboundError) -> Attempt:
    """What it means that there was no answer."""
    match error:
        case AddressRefused():
            return Attempt(Trouble.ADDRESS_REFUSED)
        case TlsFailed():
            return Attempt(Trouble.UNTRUSTED)
        case NoAnswerInTime():
            return Attempt(Trouble.TIMEOUT)
        case _:
            return Attempt(Trouble.UNREACHABLE)


def record(notice: Notice, relying_party: str, attempt: Attempt, now: int, chance: float) -> ControlEvent:
    """What is appended to the control log.

    Args:
        notice: as it was claimed.
        relying_party: whose it is.
        attempt: what it came to.
        now: epoch milliseconds.
        chance: of 0 to 1, so that those who failed together do not come back together.
    """
    data: dict[str, Any] = {"relying_party_id": relying_party, "id": notice.id, "event": notice.event, "kid": notice.kid}
    data["attempt"] = notice.attempts
    if attempt.status is not None:
        data["status"] = attempt.status
    if attempt.trouble is None:
        return ControlEvent(type="notice_delivered", at=now, by=_BY, data=data)
    data["error"] = attempt.trouble.value
    if attempt.err is not None:
        data["err"] = attempt.err
    late = now >= notice.at + GIVE_UP_AFTER and attempt.trouble not in _OURS
    if late or (attempt.trouble is Trouble.REJECTED and attempt.err not in _MAY_HEAL):
        return ControlEvent(type="notice_abandoned", at=now, by=_BY, data=data)
    data["next_at"] = now if attempt.trouble is Trouble.INTERRUPTED else _next_try(notice, attempt, now, chance)
    return ControlEvent(type="notice_failed", at=now, by=_BY, data=data)


def _next_try(notice: Notice, attempt: Attempt, now: int, chance: float) -> int:
    """Doubling from a second to an hour, less up to a half; the last one when the day is over."""
    longest = min(_FIRST << min(notice.attempts - 1, _MOST_DOUBLED), _LONGEST)
    wait = max(int(longest * (1 - chance / 2)), min(attempt.retry_after, _LONGEST))
    end = notice.at + GIVE_UP_AFTER
    return min(now + wait, end) if now < end else now + wait


def _err(body: bytes) -> str | None:
    """The error code, as far as RFC 8935 knows it: what else the other side writes may be anything, so it is not repeated."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    err = said.get("err") if isinstance(said, dict) else None
    if not isinstance(err, str):
        return None
    return err if err in _ERRORS else "other"
