"""The console's page of a tenant's access tokens: the list, a new one, and the end of one."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request, Response

from dashboards.console.frame import HOME, tokens_path
from dashboards.console.tokens_page import AS_MINE, LIVES, MintedPage, TokenForm, TokenLine, TokensPage, grants, lives
from services.access import tokens
from services.access.principal import Principal
from services.access.scopes import TENANT_SCOPES, Scope
from services.access.tokens import Token
from services.api.console_edge import ConsoleRoute, TheVisitor, Visitor, form_of, page_of, to
from services.api.console_forms import checked
from services.api.edge import ThePlatform, platform
from services.api.models import TokenBody
from services.api.problems import problem
from services.api.tokens import mint
from services.errors import Invalid, Refused

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)
_PATH: Final = HOME + "/{tenant}/tokens"
_ROWS: Final = 50
_DAY_MS: Final = 24 * 3600 * 1000


@router.api_route(_PATH, methods=["GET", "HEAD"])
async def listed(tenant: str, request: Request, who: TheVisitor, after: str = "") -> Response:
    """The tokens that are not revoked, without their secrets."""
    return _page(request, who, tenant, after=after, notice=who.session.take_notice())


@router.post(_PATH)
async def minted(tenant: str, request: Request, running: ThePlatform, who: TheVisitor) -> Response:
    """A new token. Its secret is in this answer and nowhere else: loading it again mints no other, since the name is taken."""
    sent = await form_of(request, who.session)
    scope = who.principal.enter(tenant, Scope.TENANT_ADMIN, running.tenants.exists)
    form, now = TokenForm.read(sent), running.now()
    try:
        if not form.scopes:
            raise Invalid("choose at least one scope")
        values = {"name": form.name, "scopes": sorted(form.scopes), "expires_at": _end(form, who.principal, now)}
        token, secret = await mint(running, scope, checked(TokenBody, values), who.principal)
    except Refused as error:
        found = problem(error)
        assert found is not None, "what is refused is a problem"
        return _page(request, who, tenant, form=form, trouble=str(error), status=found.status)
    page = MintedPage(tenant, now, _line(token, who.principal, now), secret.text)
    return page_of(request, page, who, tenant, status=HTTPStatus.CREATED)


@router.post(_PATH + "/{token_id}/revoke")
async def revoked(tenant: str, token_id: str, request: Request, running: ThePlatform, who: TheVisitor) -> Response:
    """Ends a token, and with it the sessions that began with it: this one, too, if it is the visitor's own."""
    await form_of(request, who.session)
    scope = who.principal.enter(tenant, Scope.TENANT_ADMIN, running.tenants.exists)
    name = next((token.name for token in running.tokens.of(tenant) if token.id == token_id), "")
    await tokens.revoke(running.control, running.tokens, scope, token_id, who.principal, running.now())
    who.session.notice = (f"Revoked: {name} ({token_id}) is refused from now on.",)
    return to(tokens_path(tenant))


def _page(
    request: Request,
    who: Visitor,
    tenant: str,
    *,
    after: str = "",
    form: TokenForm | None = None,
    notice: tuple[str, ...] = (),
    trouble: str | None = None,
    status: int = HTTPStatus.OK,
) -> Response:
    running = platform(request)
    scope = who.principal.enter(tenant, Scope.TENANT_ADMIN, running.tenants.exists)
    now = running.now()
    newest = list(reversed(running.tokens.of(scope.tenant)))
    start = next((number for number, token in enumerate(newest, start=1) if token.id == after), 0)
    shown, more = newest[start : start + _ROWS], len(newest) > start + _ROWS
    offered = lives(now, who.principal.expires_at)
    page = TokensPage(
        tenant=tenant,
        now=now,
        tokens=tuple(_line(token, who.principal, now) for token in shown),
        older=tokens_path(tenant, shown[-1].id) if more else None,
        grants=grants(frozenset(who.principal.scopes & TENANT_SCOPES)),
        lives=offered,
        form=form or TokenForm(lives="90" if "90" in dict(offered) else offered[-1][0]),
        notice=notice,
        trouble=trouble,
    )
    return page_of(request, page, who, tenant, status=status)


def _end(form: TokenForm, by: Principal, now: int) -> datetime | None:
    """When the token ends.

    Raises:
        Invalid: the form does not say it in a way that it could.
    """
    if form.lives == AS_MINE:
        return None if by.expires_at is None else datetime.fromtimestamp(by.expires_at / 1000, UTC)
    if form.lives not in LIVES:
        raise Invalid(f"lives: choose one of {', '.join(LIVES)} or {AS_MINE}")
    _, days = LIVES[form.lives]
    return None if days is None else datetime.fromtimestamp((now + days * _DAY_MS) / 1000, UTC)


def _line(token: Token, who: Principal, now: int) -> TokenLine:
    return TokenLine(
        id=token.id,
        name=token.name,
        scopes=tuple(sorted(scope.value for scope in token.scopes)),
        minted_at=token.minted_at,
        minted_by=token.minted_by,
        expires_at=token.expires_at,
        expired=token.expires_at is not None and token.expires_at <= now,
        own=who.id == f"token:{token.id}",
    )
