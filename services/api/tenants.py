"""Routes of tenants and their sources."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from keyvault.errors import KeyStoreUnavailable
from services.access.scopes import Scope
from services.api.edge import TheOperator, ThePlatform, ThePrincipal, needs
from services.api.models import DomainsBody, SourcesBody, TenantAnswer, TenantBody, TenantList
from services.errors import Forbidden, Invalid, NotFound
from services.platform import Platform
from services.tenants import commands
from services.tenants.domains import declare_domains, jwks_uri_of
from services.tenants.sources import declare, parse
from services.tenants.tenant import Tenant
from streams.errors import IndexUnavailable, InvalidTenantId
from streams.event import iso
from streams.scope import TenantScope
from streams.source_map import IGNORED, Declaration, as_json

router = APIRouter(tags=["tenants"])
_Admin = Annotated[TenantScope, Depends(needs(Scope.TENANT_ADMIN))]


@router.get("/v1/tenants", summary="Lists the tenants that the token can see")
async def list_tenants(
    running: ThePlatform,
    by: ThePrincipal,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str, Query(description="The `next` of an earlier answer")] = "",
) -> TenantList:
    """An operator sees every tenant; a tenant's `tenant:admin` its own."""
    if Scope.TENANT_ADMIN not in by.scopes:
        raise Forbidden("this needs a token with the scope tenant:admin")
    seen = [tenant for tenant in running.tenants.all() if tenant.id > after and by.tenant in {None, tenant.id}]
    page = seen[:limit]
    following = page[-1].id if len(seen) > limit else None
    if following is not None:
        response.headers["Link"] = f'</v1/tenants?limit={limit}&after={following}>; rel="next"'
    return TenantList(tenants=[_answer(running, tenant) for tenant in page], next=following)


@router.get("/v1/tenants/{tenant}", summary="Shows a tenant")
async def get_tenant(scope: _Admin, running: ThePlatform) -> TenantAnswer:
    """The tenant's settings."""
    return _answer(running, _found(running, scope))


@router.put("/v1/tenants/{tenant}", summary="Creates a tenant, or changes it", responses={201: {"description": "The tenant is new"}})
async def put_tenant(tenant: str, body: TenantBody, running: ThePlatform, by: ThePrincipal, response: Response) -> TenantAnswer:
    """Makes the tenant be like the body. A new tenant gets an index, an active key and a standby at once. Only operators create."""
    if not running.tenants.exists(tenant):
        if by.tenant is not None:
            raise NotFound(f"there is no tenant {tenant!r} that this token can see")
        by.require_operator()
        try:
            scope = TenantScope(tenant)
        except InvalidTenantId as error:  # to read such a tenant is a 404: there is none; here it is the request that is not right
            raise Invalid(str(error)) from error
    else:
        scope = by.enter(tenant, Scope.TENANT_ADMIN, running.tenants.exists)
    found = running.tenants.find(tenant)
    declarations = None
    if body.sources is not None:
        declarations = _parse(body.sources)
    created = await commands.put(
        running.control,
        running.tenants,
        running.sources,
        scope,
        display_name=body.display_name,
        issuer=commands.check_issuer(body.issuer)
        if body.issuer
        else (found.issuer if found and "issuer" not in body.model_fields_set else None),
        issuer_base=running.settings.issuer_base,
        isolation=body.isolation,
        declarations=declarations,
        by=by,
        now=running.now(),
    )
    try:
        await running.prepare(scope, new=created)
    except (IndexUnavailable, KeyStoreUnavailable) as error:
        # The same type, so the same answer: 503, and when to try again.
        raise type(error)(f"{error}. Tenant {tenant!r} is registered; what it lacks is made when that is back") from error
    if created:
        response.status_code = HTTPStatus.CREATED
    return _answer(running, _found(running, scope))


@router.delete("/v1/tenants/{tenant}", status_code=HTTPStatus.NO_CONTENT, summary="Deletes a tenant")
async def delete_tenant(tenant: str, running: ThePlatform, by: ThePrincipal) -> None:
    """Its tokens end, its sources become free, its JWKS, private keys, index and search user go.

    Its events stay in the log, and its id is not used again. After a 503 it is deleted, but the search engine may still hold its index or
    user, or the key store its keys: the same request goes on with that.
    """
    scope = by.enter(tenant, Scope.TENANT_ADMIN, running.tenants.known)
    by.require_operator()
    await commands.delete(running.control, running.tenants, scope, by, running.now())
    try:
        await running.forgetting.forget(scope, by.id, running.now())
    finally:  # neither waits for the other to be back
        await running.ended_keys.destroy(scope, by.id)


@router.get("/v1/tenants/{tenant}/domains", summary="Lists a tenant's own domains")
async def get_domains(scope: _Admin, running: ThePlatform) -> DomainsBody:
    """Under each of them the tenant's JWKS and metadata are answered without `/t/TENANT`, and no other tenant's."""
    return DomainsBody(domains=list(running.domains.of(scope.tenant)))


@router.put("/v1/tenants/{tenant}/domains", summary="Sets a tenant's own domains")
async def put_domains(scope: _Admin, body: DomainsBody, running: ThePlatform, by: ThePrincipal) -> DomainsBody:
    """All of them, and no others. Only operators: they know whose a domain is, and send its requests here with the `Host` that came."""
    by.require_operator()
    base = running.settings.issuer_base
    await declare_domains(running.control, running.domains, scope.tenant, body.domains, base, by.id, running.now())
    return DomainsBody(domains=list(running.domains.of(scope.tenant)))


@router.get("/v1/ignored-sources", summary="Lists the sources whose events are dropped")
async def get_ignored(running: ThePlatform, by: TheOperator) -> SourcesBody:  # noqa: ARG001 -- only operators
    """What operators told the router to ignore."""
    return SourcesBody(sources=[as_json(source) for source in running.sources.map.of(IGNORED)])


@router.put("/v1/ignored-sources", summary="Sets the sources whose events are dropped")
async def put_ignored(body: SourcesBody, running: ThePlatform, by: TheOperator) -> SourcesBody:
    """Their events are neither kept nor dead letters."""
    declarations = _parse(body.sources)
    await declare(running.control, running.sources, IGNORED, declarations, by.id, running.now())
    return SourcesBody(sources=[as_json(source) for source in running.sources.map.of(IGNORED)])


def _parse(sources: list[dict[str, str]]) -> list[Declaration]:
    parsed = [parse(source, f"sources[{number}]") for number, source in enumerate(sources)]
    selectors = [(one.provider, selector) for one in parsed for selector in one.selectors]
    if len(set(selectors)) < len(selectors):
        raise Invalid("sources: one of them is named twice")
    return parsed


def _found(running: Platform, scope: TenantScope) -> Tenant:
    found = running.tenants.find(scope.tenant)
    assert found is not None, "the scope was entered"
    return found


def _answer(running: Platform, tenant: Tenant) -> TenantAnswer:
    return TenantAnswer(
        id=tenant.id,
        display_name=tenant.display_name,
        issuer=commands.issuer_of(tenant, running.settings.issuer_base),
        sources=[as_json(source) for source in running.sources.map.of(tenant.id)],
        isolation=tenant.isolation,
        created_at=iso(tenant.created_at),
        domains=list(running.domains.of(tenant.id)),
        jwks_uri=jwks_uri_of(tenant, running.domains, running.settings.issuer_base),
    )
