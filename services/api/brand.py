"""Routes of a tenant's brand."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from dashboards.console.brand_colours import DARK, LIGHT
from dashboards.console.frame import brand_path
from services.access.scopes import Scope
from services.api.brand_frame import logo_file
from services.api.edge import ThePlatform, ThePrincipal, needs
from services.api.models import Strict
from services.platform import Platform
from services.tenants.brand import MAX_NAME, checked, logo_of, put
from streams.scope import TenantScope

router = APIRouter(tags=["tenants"])
_Admin = Annotated[TenantScope, Depends(needs(Scope.TENANT_ADMIN))]
_Colour = Annotated[str | None, Field(max_length=20, description="As #rrggbb; null or left out: the console's own")]


class BrandBody(Strict):
    """A brand as it should be: what is left out is the console's own, except the logo, which stays as it is."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "Globex", "accent": "#7a2d8f", "header": "#2b1033"}]}
    )

    name: Annotated[str | None, Field(max_length=MAX_NAME, description="What stands on its pages; by default its display name")] = None
    accent: _Colour = None
    accent_dark: _Colour = None
    header: _Colour = None
    logo: Annotated[
        str | None,
        Field(max_length=50_000, description="PNG, JPEG or WebP in base64, at most 32 KiB; null: none; left out: as it is"),
    ] = None


class LogoAnswer(BaseModel):
    """A logo."""

    media_type: str
    width: int
    height: int
    bytes: int
    url: str


class BrandAnswer(BaseModel):
    """A brand; null is the console's own.

    `contrast` is that of the accent with the page where it has least, on light and on dark pages; text needs 4.5.
    """

    name: str | None
    accent: str | None
    accent_dark: str | None
    header: str | None
    logo: LogoAnswer | None
    contrast: dict[str, float]


@router.get("/v1/tenants/{tenant}/brand", summary="Shows a tenant's brand")
async def get_brand(scope: _Admin, running: ThePlatform) -> BrandAnswer:
    """Its name, colours and logo on its console pages."""
    return _answer(running, scope.tenant)


@router.put("/v1/tenants/{tenant}/brand", summary="Sets a tenant's brand")
async def put_brand(scope: _Admin, body: BrandBody, running: ThePlatform, by: ThePrincipal) -> BrandAnswer:
    """Makes the brand be like the body, on every page from now on. Colours that could not be read are refused, with one near that can."""
    before = running.brands.of(scope.tenant)
    brand = checked(name=body.name, accent=body.accent, accent_dark=body.accent_dark, header=body.header, logo=None)
    if "logo" in body.model_fields_set:
        brand = replace(brand, logo=logo_of(body.logo) if body.logo is not None else None)
    else:
        brand = replace(brand, logo=before.logo)
    await put(running.control, running.tenants, running.brands, scope, brand, by, running.now())
    return _answer(running, scope.tenant)


def _answer(running: Platform, tenant: str) -> BrandAnswer:
    brand = running.brands.of(tenant)
    logo, file = brand.logo, logo_file(brand)
    about = None
    if logo is not None and file is not None:
        about = LogoAnswer(
            media_type=logo.media_type,
            width=logo.width,
            height=logo.height,
            bytes=len(logo.data),
            url=f"{running.settings.issuer_base}{brand_path(tenant)}/{file.name}",
        )
    return BrandAnswer(
        name=brand.name,
        accent=brand.accent,
        accent_dark=brand.accent_dark,
        header=brand.header,
        logo=about,
        contrast={ground.name: round(brand.colours.contrast_on(ground), 2) for ground in (LIGHT, DARK)},
    )
