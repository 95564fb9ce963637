"""The console's platform pages, for operators: all tenants at a glance, the rotation calendar, and the health of the engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from dashboards.console.calendar_page import CalendarPage, EntryView
from dashboards.console.health_page import HealthPage, Part
from dashboards.console.plain_pages import LookingPage
from dashboards.console.platform_frame import CALENDAR, HEALTH, PLATFORM, SPANS, plural
from dashboards.console.platform_page import PlatformPage, TenantRow
from services.api.console_edge import ConsoleRoute, TheVisitor, Visitor, page_of
from services.api.edge import ThePlatform
from services.overview.calendar import Day, Entry
from services.overview.tenants import TenantGlance
from services.platform import Platform
from streams.errors import StreamsError

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)
_READ: Final = ["GET", "HEAD"]
_PATIENCE_SECONDS: Final = 2.0
"""How long somebody looks at an empty window before a page says that it takes longer: thousands of indexes on a slow disk may."""
_PROCESSORS: Final = ("router", "audit", "index")


async def operating(who: TheVisitor) -> Visitor:
    """A visitor who is an operator.

    Raises:
        Forbidden: this one is not.
    """
    who.principal.require_operator()
    return who


TheOperating = Annotated[Visitor, Depends(operating)]


@router.api_route(PLATFORM, methods=_READ)
async def tenants(request: Request, running: ThePlatform, who: TheOperating, find: str = "", sort: str = "", page: str = "") -> Response:
    """All tenants, with size, rate and lag."""
    seen = await running.overview.tenants.within(_PATIENCE_SECONDS)
    if seen is None:
        return page_of(request, _looking(running, "Tenants", PLATFORM), who)
    number = int(page) if page.isascii() and page.isdigit() and len(page) < 10 else 1
    rows = [_row(one) for one in seen.tenants]
    view = PlatformPage.of(rows, running.now(), at=seen.at, window=seen.window, troubles=seen.troubles, find=find, sort=sort, page=number)
    return page_of(request, view, who)


@router.api_route(CALENDAR, methods=_READ)
async def rotations(request: Request, running: ThePlatform, who: TheOperating, day: str = "", days: str = "") -> Response:
    """What is coming to the key rings of all tenants."""
    coming = await running.overview.calendar.within(_PATIENCE_SECONDS)
    if coming is None:
        return page_of(request, _looking(running, "Calendar", CALENDAR), who)
    span = next((span for span in SPANS if days == str(span)), SPANS[0])
    shown = coming.days[:span]
    opened = _opened(shown, day)
    view = CalendarPage.of(
        running.now(),
        rings=coming.rings,
        days=[(one.start, one.counts) for one in shown],
        opened=opened,
        entries=[_entry(one) for one in shown[opened].entries] if opened is not None else (),
        overdue=[_entry(one) for one in coming.overdue],
        following=_entry(coming.next) if coming.next is not None else None,
    )
    return page_of(request, view, who)


@router.api_route(HEALTH, methods=_READ)
async def health(request: Request, running: ThePlatform, who: TheOperating) -> Response:
    """How each engine and processor is, and what to do."""
    findings = await running.overview.health.get()
    try:
        lag = await running.runner.lag()
    except StreamsError:
        lag = None  # the log's own finding says why
    view = HealthPage.of(
        running.now(),
        [Part(name=one.check, ok=one.ok, where=one.where, says=one.detail) for one in findings],
        lag=lag,
        trouble=running.runner.trouble,
        names=_PROCESSORS,
        here=running.settings.process,
        behind=running.processor.behind,
    )
    return page_of(request, view, who)


def _looking(running: Platform, here: str, path: str) -> LookingPage:
    return LookingPage(here, f"{plural(len(running.tenants.all()), 'tenant')} are being looked at.", path)


def _row(one: TenantGlance) -> TenantRow:
    lag = one.lag
    return TenantRow(
        id=one.id,
        name=one.name,
        isolation=one.isolation,
        documents=one.size.documents if one.size is not None else None,
        bytes=one.size.bytes if one.size is not None else None,
        per_minute=one.per_minute,
        waiting=lag.events if lag is not None else None,
        waiting_exact=lag.exact if lag is not None else True,
        waiting_since=lag.since if lag is not None else None,
        backlog=one.backlog,
    )


def _entry(one: Entry) -> EntryView:
    coming = one.coming
    return EntryView.of(one.tenant, coming.at, coming.kind, kid=coming.kid, overdue=coming.overdue, trouble=one.trouble)


def _opened(days: Sequence[Day], date: str) -> int | None:
    """The day that was asked for, or else the first with anything; None if there is none."""
    numbers = [number for number, day in enumerate(days) if day.date == date or (not date and day.total)]
    if not numbers and any(day.total for day in days):
        numbers = [number for number, day in enumerate(days) if day.total]
    return numbers[0] if numbers else None
