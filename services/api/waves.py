"""Routes of waves: rotations of many tenants' keys, one after another. Operators only."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel, ConfigDict, Field

from keyvault.rate import Rate
from services.api.edge import TheOperator, ThePlatform
from services.api.models import Strict
from services.keys.wave_progress import Overdue, Progress
from services.keys.waves import Wave
from services.platform import Platform
from streams.event import iso

router = APIRouter(tags=["waves"])
_MAX_BODY: Final = 8_000_000
"""Bytes: the names of a hundred thousand tenants."""
_MOST_OVERDUE: Final = 100
"""Tenants that are named in one answer."""


class WaveBody(Strict):
    """A wave to begin."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"rate": "500/h", "jitter": 0.5, "reason": "yearly rotation, ticket 4711"}]}
    )

    rate: Annotated[str, Field(max_length=20, description="How many tenants rotate in how much time: per s, min, h or d")]
    jitter: Annotated[float, Field(ge=0, le=1, description="The part of its slot that each turn may move by, at random")] = 0.5
    reason: Annotated[str, Field(max_length=500, description="For the log, and for whoever reads it later")] = ""
    tenants: Annotated[
        list[Annotated[str, Field(max_length=63)]] | None,
        Field(min_length=1, max_length=100_000, description="Whom it is for; left out: every tenant that there is now"),
    ] = None


class OverdueAnswer(BaseModel):
    """A tenant whose turn has come and that has not rotated, and why."""

    tenant: str
    due_at: str
    failed: bool
    reason: str


class WaveAnswer(BaseModel):
    """A wave, and how far it has come: `done` … `gone` add up to `tenants`.

    `late` wait for something, as for their standby; `failed` were tried in vain by the node that answers, and are tried again; `gone` were
    deleted; `released` were not done when it was stopped. `overdue` names the first hundred of those late and failed. `ends_at` is when the
    last turn will be over, or was; null while that can't be told.
    """

    id: str
    state: Literal["running", "finished", "stopped"]
    rate: str
    jitter: float
    reason: str
    started_at: str
    started_by: str
    ends_at: str | None
    tenants: int
    done: int
    waiting: int
    late: int
    failed: int
    released: int
    gone: int
    overdue: list[OverdueAnswer]


class WaveList(BaseModel):
    """Every wave, the newest first."""

    waves: list[WaveAnswer]


@router.post(
    "/v1/waves",
    status_code=HTTPStatus.CREATED,
    summary="Begins a wave: many tenants rotate, no faster than a rate",
    max_body_size=_MAX_BODY,
)
async def start_wave(
    body: WaveBody,
    running: ThePlatform,
    by: TheOperator,
    response: Response,
    command: Annotated[
        str | None, Header(alias="Idempotency-Key", description="The same request with the same key again answers the same wave")
    ] = None,
) -> WaveAnswer:
    """Each tenant gets a turn, drawn by lot. When it has come, the tenant's standby signs as soon as it has been published long enough.

    The service carries it out, on any number of nodes and whatever is restarted meanwhile; nobody needs to stay connected. One wave runs
    at a time (409).
    """
    rate = Rate.parse(body.rate)
    wave = await running.waves.start(rate, body.jitter, body.reason.strip(), body.tenants, by=by.id, command=command)
    response.headers["Location"] = f"/v1/waves/{wave.id}"
    return _answer(running, wave)


@router.get("/v1/waves", summary="Lists the waves")
async def list_waves(running: ThePlatform, by: TheOperator) -> WaveList:  # noqa: ARG001 -- only operators
    """Running and past ones."""
    return WaveList(waves=[_answer(running, wave) for wave in running.waves.all()])


@router.get("/v1/waves/{identifier}", summary="Shows how far a wave has come")
async def get_wave(identifier: str, running: ThePlatform, by: TheOperator) -> WaveAnswer:  # noqa: ARG001 -- only operators
    """Answered from memory, so it may be asked often."""
    return _answer(running, running.waves.find(identifier))


@router.delete("/v1/waves/{identifier}", summary="Stops a wave")
async def stop_wave(identifier: str, running: ThePlatform, by: TheOperator) -> WaveAnswer:
    """At once, on every node that follows the log: whoever has not rotated goes on as without it. What is done stays done."""
    return _answer(running, await running.waves.stop(identifier, by=by.id))


def _answer(running: Platform, wave: Wave) -> WaveAnswer:
    told: Progress = running.waves.progress(wave)
    return WaveAnswer(
        id=wave.id,
        state=told.state,
        rate=str(wave.rate),
        jitter=wave.jitter,
        reason=wave.reason,
        started_at=iso(wave.at),
        started_by=wave.by,
        ends_at=iso(told.ends_at) if told.ends_at is not None else None,
        tenants=wave.tenants,
        done=told.done,
        waiting=told.waiting,
        late=told.late,
        failed=told.failed,
        released=told.released,
        gone=told.gone,
        overdue=[_overdue(one) for one in told.overdue[:_MOST_OVERDUE]],
    )


def _overdue(one: Overdue) -> OverdueAnswer:
    return OverdueAnswer(tenant=one.tenant, due_at=iso(one.due_at), failed=one.failed, reason=one.reason)
