"""The console's pages of dead letters, for operators: what waits and why, samples, and the replay."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request, Response

from dashboards.console.dead_letters_page import DeadLettersPage, GroupView, LettersPage, LetterView, ReplayView
from dashboards.console.platform_frame import DEAD_LETTERS, REPLAY
from services.access.scopes import Scope
from services.api.console_edge import ConsoleRoute, Visitor, form_of, page_of, to
from services.api.console_platform import TheOperating
from services.api.edge import ThePlatform, client_ip
from services.errors import NotFound
from services.overview.dead_letters import DeadLetters, Group, Letter
from services.overview.replays import Replay
from services.platform import Platform
from streams.errors import StreamsError

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)
_READ: Final = ["GET", "HEAD"]


@router.api_route(DEAD_LETTERS, methods=_READ)
async def letters(request: Request, running: ThePlatform, who: TheOperating) -> Response:
    """All that wait, by reason, and how far a replay has come."""
    replay = running.overview.replays.last
    try:
        found = await running.overview.letters.get()
    except StreamsError as error:
        view = DeadLettersPage(now=running.now(), replay=_replay(replay), trouble=f"The event log does not tell what waits: {error}")
        return page_of(request, view, who, status=HTTPStatus.SERVICE_UNAVAILABLE)
    return page_of(request, _page(found, replay, running.now()), who)


@router.post(REPLAY)
async def replay(request: Request, running: ThePlatform, who: TheOperating) -> Response:
    """Begins a replay of all that wait now; the page says how far it has come."""
    await form_of(request, who.session)
    await running.overview.replays.begin(who.principal.id)
    running.overview.letters.forget()
    return to(DEAD_LETTERS)


@router.api_route(REPLAY, methods=_READ)
async def replayed() -> Response:
    """For those who load the address that the button has left in the browser."""
    return to(DEAD_LETTERS)


@router.api_route(DEAD_LETTERS + "/{reason}", methods=_READ)
async def samples(reason: str, request: Request, running: ThePlatform, who: TheOperating) -> Response:
    """Samples of one reason."""
    group = (await running.overview.letters.get()).find(reason)
    if group is None:
        raise NotFound("no dead letter waits for this reason; look at those that do")
    await _tell(running, who, group, client_ip(request))
    now = running.now()
    return page_of(request, LettersPage(now=now, group=_group(group), letters=tuple(map(_letter, group.samples))), who)


async def _tell(running: Platform, who: Visitor, group: Group, ip: str | None) -> None:
    """Whoever reads what came by a tenant's way is in that tenant's log before it is shown."""
    places: dict[str, list[str]] = {}
    for letter in group.samples:
        if letter.tenant is not None and running.tenants.exists(letter.tenant):
            places.setdefault(letter.tenant, []).append(letter.place)
    for tenant, read in places.items():
        scope = who.principal.enter(tenant, Scope.EVENTS_READ, running.tenants.exists)
        details = {"reason": group.reason, "dead_letters": read, "via": "console"}
        await running.audit.record(scope, "dead_letters_read", who.principal, running.now(), details=details, ip=ip)


def _page(found: DeadLetters, replay: Replay | None, now: int) -> DeadLettersPage:
    return DeadLettersPage(
        now=now,
        waiting=found.waiting,
        read=found.read,
        whole=found.whole,
        groups=tuple(map(_group, found.groups)),
        replay=_replay(replay),
    )


def _group(group: Group) -> GroupView:
    message = group.samples[0].message if group.samples else ""
    return GroupView(reason=group.reason, count=group.count, newest=group.newest, message=message, returns=not group.of_the_index)


def _letter(letter: Letter) -> LetterView:
    return LetterView.of(
        letter.place,
        letter.at,
        letter.message,
        source=letter.source,
        tenant=letter.tenant,
        length=letter.size,
        text=letter.text,
        cut=letter.cut,
    )


def _replay(replay: Replay | None) -> ReplayView | None:
    if replay is None:
        return None
    done = replay.done
    return ReplayView.of(
        replay.by,
        replay.at,
        total=replay.total,
        revived=done.revived,
        kept=done.kept,
        cut=done.cut,
        running=replay.running,
        failure=replay.failure,
    )
