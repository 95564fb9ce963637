"""A tenant's brand as its pages carry it: the name, and the addresses of its style sheet and logo, which change with what is in them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote, urlsplit

from dashboards.console import frame
from dashboards.console.brand_colours import BrandColours
from dashboards.console.frame import HOME, brand_path
from services.platform import Platform
from services.tenants.brand import Brand
from services.tenants.image import Image

_LOGO_HEIGHT: Final = 28
_LOGO_WIDTH: Final = 160
"""What a logo takes at most in the corner, in CSS pixels."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a brand."""

    name: str
    media_type: str
    body: bytes


def brand_of(running: Platform, tenant: str | None) -> frame.Brand | None:
    """The brand on the pages of this tenant; None if there is no such tenant, or it has none."""
    found = running.tenants.find(tenant) if tenant is not None else None
    if found is None or found.deleted_at is not None or not (brand := running.brands.of(found.id)):
        return None
    base = brand_path(found.id)
    sheet, logo = stylesheet(brand), logo_file(brand)
    return frame.Brand(
        name=brand.name or found.display_name,
        stylesheet=f"{base}/{sheet.name}",
        logo=f"{base}/{logo.name}" if logo is not None else None,
        logo_size=shown(brand.logo) if brand.logo is not None else (0, 0),
    )


def tenant_of(target: str) -> str | None:
    """Whose page of the console it is, if it is a tenant's."""
    parts = urlsplit(target).path.removeprefix(f"{HOME}/").split("/")
    return unquote(parts[0]) if target.startswith(f"{HOME}/") and parts[0] not in {"", "-"} else None


def stylesheet(brand: Brand) -> File:
    """Its style sheet."""
    return _stylesheet(brand.colours)


def logo_file(brand: Brand) -> File | None:
    """Its logo."""
    return _logo(brand.logo) if brand.logo is not None else None


def shown(image: Image) -> tuple[int, int]:
    """Width and height to show it at: as it is, but no larger than fits into the corner."""
    scale = min(1.0, _LOGO_HEIGHT / image.height, _LOGO_WIDTH / image.width)
    return max(1, round(image.width * scale)), max(1, round(image.height * scale))


@lru_cache(maxsize=1024)
def _stylesheet(colours: BrandColours) -> File:
    return _file("brand", "css", "text/css; charset=utf-8", colours.stylesheet().encode())


@lru_cache(maxsize=256)
def _logo(image: Image) -> File:
    return _file("logo", image.extension, image.media_type, image.data)


def _file(stem: str, extension: str, media_type: str, body: bytes) -> File:
    return File(f"{stem}.{hashlib.sha256(body).hexdigest()[:16]}.{extension}", media_type, body)
