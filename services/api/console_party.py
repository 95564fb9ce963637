"""The console's page of a relying party: what it is, whether it survives, and the forms that change and remove it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from dashboards.console.frame import HOME, parties_path, party_path
from dashboards.console.party_form import Amount, CheckForm, PartyForm
from dashboards.console.party_page import Checked, PartyPage, Told, fingerprint
from dashboards.console.survival_words import Verdict
from keyvault.policy import Policy
from keyvault.relying_party import RelyingParty
from keyvault.survival import check
from services.access.scopes import Scope
from services.api.console_edge import ConsoleRoute, TheVisitor, Visitor, form_of, page_of, to
from services.api.console_forms import check_from, party_from
from services.api.edge import ThePlatform, platform
from services.api.problems import problem
from services.api.relying_parties import caching_of, jwks_uri
from services.errors import Conflict, Invalid, Refused
from services.keys import relying_parties as commands
from services.notices.notice import Notice, NoticeState
from services.outbound.target import origin
from services.platform import Platform
from streams.scope import TenantScope

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)
_PATH: Final = HOME + "/{tenant}/relying-parties/{rp}"
_CHANGED: Final = "It has changed since this page was loaded, so nothing was done. This is how it is now."
_EVENTS: Final = {
    "key_prepared": "a key is published",
    "key_adopted": "a key is published",
    "key_activated": "a key signs",
    "key_deactivated": "a key stopped signing",
    "key_compromised": "a key was compromised",
    "key_imported": "a key was imported",
}


async def _asked(
    library: str | None = None, number: str = "", unit: str = "hours", never: str = "", refetches: str = "", cooldown: str = ""
) -> CheckForm | None:
    """What is asked about its survival; None if nothing is, so that it is about how it is registered."""
    if library is None:
        return None
    return CheckForm(library, Amount(number.strip(), unit), bool(never), refetches, Amount(cooldown.strip(), "seconds"))


@router.api_route(_PATH, methods=["GET", "HEAD"])
async def party(tenant: str, rp: str, request: Request, who: TheVisitor, asked: Annotated[CheckForm | None, Depends(_asked)]) -> Response:
    """How it is, and whether it survives."""
    return _page(request, who, tenant, rp, asked=asked, notice=who.session.take_notice())


@router.post(_PATH)
async def change(tenant: str, rp: str, request: Request, running: ThePlatform, who: TheVisitor) -> Response:
    """Makes it be as the form says, if it is still what was shown with the form."""
    sent = await form_of(request, who.session)
    scope = who.principal.enter(tenant, Scope.TENANT_ADMIN, running.tenants.exists)
    before, form = commands.find(running.rings.of(tenant), rp), PartyForm.read(sent)
    if sent.get("expects") != fingerprint(before):
        return _page(request, who, tenant, rp, trouble=_CHANGED, status=HTTPStatus.CONFLICT)
    try:
        party = party_from(form, rp, before)
        await commands.register(
            running.control, running.rings, running.outbound, scope, party, who.principal.id, running.now(), before=before
        )
    except Conflict:
        return _page(request, who, tenant, rp, trouble=_CHANGED, status=HTTPStatus.CONFLICT)
    except Refused as error:
        found = problem(error)
        assert found is not None, "what is refused is a problem"
        return _page(request, who, tenant, rp, form=form, trouble=str(error), status=found.status)
    who.session.notice = ("Nothing was changed: it was so already.",) if party == before else ("Changed.",)
    return to(party_path(tenant, rp))


@router.post(_PATH + "/remove")
async def remove(tenant: str, rp: str, request: Request, running: ThePlatform, who: TheVisitor) -> Response:
    """Removes it, if it is still what was shown."""
    sent = await form_of(request, who.session)
    scope = who.principal.enter(tenant, Scope.TENANT_ADMIN, running.tenants.exists)
    before = commands.find(running.rings.of(tenant), rp)
    if sent.get("expects") != fingerprint(before):
        return _page(request, who, tenant, rp, trouble=_CHANGED, status=HTTPStatus.CONFLICT)
    try:
        await commands.remove(running.control, running.rings, scope, rp, who.principal.id, running.now(), before=before)
    except Conflict:
        return _page(request, who, tenant, rp, trouble=_CHANGED, status=HTTPStatus.CONFLICT)
    who.session.notice = (f"Removed: no rotation waits for {before.name} any more.",)
    return to(parties_path(tenant))


def _page(
    request: Request,
    who: Visitor,
    tenant: str,
    rp: str,
    *,
    asked: CheckForm | None = None,
    form: PartyForm | None = None,
    notice: tuple[str, ...] = (),
    trouble: str | None = None,
    status: int = HTTPStatus.OK,
) -> Response:
    running = platform(request)
    scope = who.principal.enter(tenant, Scope.KEYS_READ, running.tenants.exists)
    ring = running.rings.of(tenant)
    found = commands.find(ring, rp)
    page = PartyPage.of(
        tenant,
        ring,
        found,
        running.now(),
        origin=origin,
        jwks_uri=jwks_uri(running, scope, found),
        checked=_checked(found, asked, ring.policy),
        told=_told(running, scope, rp),
        form=(form or PartyForm.of(found)) if Scope.TENANT_ADMIN in who.principal.scopes else None,
        notice=notice,
        trouble=trouble,
    )
    return page_of(request, page, who, tenant, status=status)


def _checked(party: RelyingParty, asked: CheckForm | None, policy: Policy) -> Checked:
    """The form shows all that counts, so nothing is taken from how it is registered that is not in the form."""
    form = asked if asked is not None else CheckForm.of(party)
    if asked is None and party.caching is None:
        return Checked(form, None)
    try:
        rules = caching_of(RelyingParty(id=party.id, name=party.name), check_from(form))
    except Invalid as error:
        return Checked(form, None, str(error))
    return Checked(form, Verdict.of(check(rules, policy)))


def _told(running: Platform, scope: TenantScope, rp: str) -> tuple[Told, ...]:
    return tuple(_notice(one) for one in running.notices.of(scope.tenant, rp) or ())


def _notice(one: Notice) -> Told:
    failed = f"last error: {one.error}{f' {one.status}' if one.status is not None else ''}" if one.error is not None else ""
    tried = f"tried {one.attempts} {'time' if one.attempts == 1 else 'times'}" if one.attempts else "not tried yet"
    return Told(
        at=one.at,
        event=_EVENTS.get(one.event, one.event),
        kid=one.kid,
        state=one.state.value,
        bad=one.state is NoticeState.ABANDONED or (one.state is NoticeState.WAITING and one.error is not None),
        says="; ".join(part for part in (tried, failed) if part),
    )
