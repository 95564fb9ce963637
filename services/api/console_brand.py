"""The console's page of a tenant's brand, and the brand's files, which everybody who comes to sign in may load."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request, Response

from dashboards.console.brand_colours import BrandColours, Unreadable
from dashboards.console.brand_page import BrandPage, data_url, previews
from dashboards.console.frame import HOME, brand_path
from services.access.scopes import Scope
from services.api.brand_frame import logo_file, shown, stylesheet
from services.api.console_edge import ConsoleRoute, TheVisitor, page_of, to
from services.api.edge import ThePlatform
from services.api.uploads import uploaded
from services.errors import Conflict, Invalid, NotFound
from services.platform import Platform
from services.tenants.brand import Brand, checked, put
from services.tenants.image import MAX_BYTES, check_image

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)
files = APIRouter(include_in_schema=False)
_PATH: Final = HOME + "/{tenant}/brand"
_TEXTS: Final = ("name", "accent", "accent_dark", "header")
_READ: Final = ["GET", "HEAD"]
_MOST: Final = MAX_BYTES + 8_000
_HEADERS: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Of files that a tenant has a say in: opened by themselves, they are what we say they are, and can do nothing."""


@router.api_route(_PATH, methods=_READ)
async def look(tenant: str, request: Request, running: ThePlatform, who: TheVisitor) -> Response:
    """The form, as the brand is."""
    who.principal.enter(tenant, Scope.TENANT_ADMIN, running.tenants.exists)
    page = _page(running, tenant, running.brands.of(tenant))
    return page_of(request, replace(page, notice=who.session.take_notice()), who, tenant)


@router.post(_PATH)
async def change(tenant: str, request: Request, running: ThePlatform, who: TheVisitor) -> Response:
    """Sets the brand, or shows what it would look like."""
    parts = await uploaded(request, who.session, most=_MOST)
    scope = who.principal.enter(tenant, Scope.TENANT_ADMIN, running.tenants.exists)
    before = running.brands.of(tenant)
    name, accent, accent_dark, header = (parts.get(part, b"").decode(errors="replace").strip() for part in _TEXTS)
    try:
        logo = check_image(sent) if (sent := parts.get("logo")) else None if parts.get("remove_logo") else before.logo
        brand = checked(name=name, accent=accent, accent_dark=accent_dark, header=header, logo=logo)
        if parts.get("do") == b"preview":
            notice = ("This is a preview: nothing was changed yet." + (" Choose the logo again before you save." if sent else ""),)
            page = replace(_page(running, tenant, brand), has_logo=before.logo is not None, unsaved=brand != before, notice=notice)
            return page_of(request, page, who, tenant)
        await put(running.control, running.tenants, running.brands, scope, brand, who.principal, running.now())
    except (Invalid, Conflict) as error:
        typed = replace(_page(running, tenant, before), name=name, accent=accent, accent_dark=accent_dark, header=header, unsaved=True)
        try:
            typed = replace(typed, previews=previews(BrandColours.parse(accent, accent_dark, header)))
        except Unreadable:
            typed = replace(typed, kept=True)
        page = replace(typed, trouble=f"Nothing was changed. {error}")
        status = HTTPStatus.CONFLICT if isinstance(error, Conflict) else HTTPStatus.BAD_REQUEST
        return page_of(request, page, who, tenant, status=status)
    who.session.notice = ("Saved: this tenant's pages look like this from now on.",)
    return to(brand_path(tenant))


@files.api_route(_PATH + "/{name}", methods=_READ)
async def file(tenant: str, name: str, running: ThePlatform) -> Response:
    """The style sheet, or the logo. Each name holds a hash of what is in it, and only the present ones are there."""
    if running.tenants.exists(tenant) and (brand := running.brands.of(tenant)):
        for found in (stylesheet(brand), logo_file(brand)):
            if found is not None and found.name == name:
                return Response(found.body, media_type=found.media_type, headers=_HEADERS)
    raise NotFound("there is no such file")


def _page(running: Platform, tenant: str, brand: Brand) -> BrandPage:
    found = running.tenants.find(tenant)
    assert found is not None, "the tenant was entered"
    return BrandPage(
        tenant=tenant,
        display_name=found.display_name,
        name=brand.name or "",
        accent=brand.accent or "",
        accent_dark=brand.accent_dark or "",
        header=brand.header or "",
        logo=data_url(brand.logo.media_type, brand.logo.data) if brand.logo is not None else None,
        logo_size=shown(brand.logo) if brand.logo is not None else (0, 0),
        has_logo=brand.logo is not None,
        previews=previews(brand.colours),
    )
