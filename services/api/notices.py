"""Route of the notices of a tenant's relying party."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict

from keyvault.security_event import SecurityEventType
from services.access.scopes import Scope
from services.api.edge import ThePlatform, needs
from services.errors import NotFound
from services.notices.notice import TOLD, Notice, NoticeState
from streams.event import iso
from streams.scope import TenantScope

router = APIRouter(tags=["relying parties"])
_Reader = Annotated[TenantScope, Depends(needs(Scope.KEYS_READ))]


class NoticeAnswer(BaseModel):
    """A notice: what the relying party is told of one key event, and what became of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "q3dFyO0vC1m2e6eU9t1nJk8rX4aB7hZs",
                    "event": "https://tenantry.dev/security-events/key-activated",
                    "kid": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
                    "at": "2026-11-23T10:00:00.000Z",
                    "state": "waiting",
                    "attempts": 2,
                    "error": "status",
                    "status": 503,
                    "next_attempt_at": "2026-11-23T10:00:05.000Z",
                    "ended_at": None,
                }
            ]
        }
    )

    id: str
    event: SecurityEventType
    kid: str
    at: str
    state: NoticeState
    attempts: int
    error: str | None
    status: int | None
    next_attempt_at: str | None
    ended_at: str | None


class NoticesAnswer(BaseModel):
    """The relying party's notices, newest first: all that wait, and the last ten that do not."""

    notices: list[NoticeAnswer]


@router.get("/v1/tenants/{tenant}/relying-parties/{rp}/notices", summary="Shows what a relying party is told of the keys")
async def list_notices(rp: str, scope: _Reader, running: ThePlatform) -> NoticesAnswer:
    """What waits for its webhook, and what has become of the last ones; of older ones the tenant's own log tells.

    A `waiting` notice is tried again with growing pauses for a day, in the order of the events, a compromise first.
    Its `id` is the `jti` of the token.
    """
    found = running.notices.of(scope.tenant, rp)
    if found is None:
        raise NotFound(f"there is no relying party {rp[:100]!r}; look at the list of the tenant's relying parties")
    return NoticesAnswer(notices=[_answer(notice) for notice in found])


def _answer(notice: Notice) -> NoticeAnswer:
    return NoticeAnswer(
        id=notice.id,
        event=TOLD[notice.event],
        kid=notice.kid,
        at=iso(notice.at),
        state=notice.state,
        attempts=notice.attempts,
        error=notice.error,
        status=notice.status,
        next_attempt_at=iso(notice.due_at) if notice.state is NoticeState.WAITING else None,
        ended_at=iso(notice.ended_at) if notice.ended_at is not None else None,
    )
