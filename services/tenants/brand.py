"""Brands: each tenant's own name, colours and logo on its console pages, folded from the control log."""

from __future__ import annotations

import base64
import binascii
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from dashboards.console.brand_colours import BrandColours, Unreadable
from dashboards.console.colours import Colour
from keyvault.durations import DAY
from services.access.principal import Principal
from services.errors import Conflict, Invalid, NotFound
from services.tenants.image import Image, check_image
from services.tenants.tenant import Tenants
from streams.control_log import ControlEvent, ControlLog, Projection
from streams.event import iso
from streams.scope import TenantScope

MAX_NAME: Final = 60
LOGOS_A_DAY: Final = 20
"""New logos of a tenant within 24 hours. Each stays in the control log for ever, which every node reads when it starts."""


@dataclass(frozen=True, slots=True)
class Brand:
    """A tenant's brand. Colours are `#rrggbb`; None is the console's own.

    Attributes:
        name: what stands on its pages; None for the tenant's display name.
        accent: of links and buttons on light pages.
        accent_dark: the same on dark pages; None derives it.
        header: of the bar at the top.
        logo: the picture before the name.
    """

    name: str | None = None
    accent: str | None = None
    accent_dark: str | None = None
    header: str | None = None
    logo: Image | None = None

    @property
    def colours(self) -> BrandColours:
        """Its colours. They were checked when they were set, and are not checked again: what a later version refuses stays as it is."""
        return BrandColours.lenient(self.accent, self.accent_dark, self.header)

    def __bool__(self) -> bool:
        """Whether there is anything in it."""
        return self != Brand()


class Brands(Projection):
    """All brands, by tenant."""

    def __init__(self) -> None:
        self._brands: dict[str, Brand] = {}
        self._logos_at: dict[str, deque[int]] = defaultdict(lambda: deque(maxlen=LOGOS_A_DAY))

    def apply(self, key: str, event: ControlEvent) -> None:
        """Folds `brand_changed` (name and colours, all of them), `brand_logo_set`, `brand_logo_removed` and `tenant_deleted`."""
        data, found = event.data, self.of(key)
        if event.type == "brand_changed":
            self._brands[key] = replace(found, **{name: data.get(name) for name in _TEXTS})
        elif event.type == "brand_logo_set":
            logo = Image(data["media_type"], data["width"], data["height"], base64.b64decode(data["image"]))
            self._brands[key] = replace(found, logo=logo)
            self._logos_at[key].append(event.at)
        elif event.type == "brand_logo_removed":
            self._brands[key] = replace(found, logo=None)
        elif event.type == "tenant_deleted":
            self._brands.pop(key, None)
            self._logos_at.pop(key, None)

    def of(self, tenant: str) -> Brand:
        """The tenant's brand; an empty one if it has none."""
        return self._brands.get(tenant, _NONE)

    def next_logo_at(self, tenant: str) -> int:
        """From when on the tenant may have a new logo, in epoch milliseconds."""
        last = self._logos_at.get(tenant, ())
        return min(last) + DAY if len(last) == LOGOS_A_DAY else 0


_NONE: Final = Brand()
_TEXTS: Final = ("name", "accent", "accent_dark", "header")


def checked(*, name: str | None, accent: str | None, accent_dark: str | None, header: str | None, logo: Image | None) -> Brand:
    """The brand, if it can be one; empty texts are none.

    Raises:
        Invalid: a name that can't be shown, no colour, or one that can't be read; names all that is wrong with the colours.
    """
    name = (name or "").strip() or None
    if name is not None and (len(name) > MAX_NAME or not name.isprintable()):
        raise Invalid(f"name: it must have 1 to {MAX_NAME} characters that can be seen")
    try:
        colours = BrandColours.parse(accent, accent_dark, header)
    except Unreadable as error:
        raise Invalid(str(error)) from None
    return Brand(name, _text(colours.accent), _text(colours.accent_dark), _text(colours.header), logo)


def _text(colour: Colour | None) -> str | None:
    return str(colour) if colour is not None else None


def logo_of(text: str) -> Image:
    """The logo in base64 (RFC 4648, section 4).

    Raises:
        Invalid: it is none.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid("logo: it must be the picture's bytes in base64") from None
    return check_image(data)


async def put(control: ControlLog, tenants: Tenants, brands: Brands, scope: TenantScope, brand: Brand, by: Principal, now: int) -> None:
    """Makes this the tenant's brand. Doing it again changes nothing.

    Raises:
        NotFound: the tenant was deleted meanwhile.
        Conflict: it has had too many new logos within a day.
        LogUnavailable: nothing was changed.
    """

    async def decide() -> Sequence[ControlEvent]:
        if not tenants.exists(scope.tenant):
            raise NotFound(f"there is no tenant {scope.tenant!r} any more")
        before, again = brands.of(scope.tenant), brands.next_logo_at(scope.tenant)
        if brand.logo is not None and brand.logo != before.logo and now < again:
            raise Conflict(f"logo: this tenant has had {LOGOS_A_DAY} new ones within a day; set the next one after {iso(again)}")
        return _events(before, brand, by.id, now)

    await control.commit(scope.tenant, decide)


def _events(before: Brand, after: Brand, by: str, now: int) -> list[ControlEvent]:
    events = []
    if replace(before, logo=None) != replace(after, logo=None):
        texts = {name: getattr(after, name) for name in _TEXTS}
        events.append(ControlEvent(type="brand_changed", at=now, by=by, data=texts))
    if after.logo is None and before.logo is not None:
        events.append(ControlEvent(type="brand_logo_removed", at=now, by=by))
    elif after.logo is not None and after.logo != before.logo:
        logo = after.logo
        image = base64.b64encode(logo.data).decode()
        about = {"media_type": logo.media_type, "width": logo.width, "height": logo.height, "bytes": len(logo.data)}
        events.append(ControlEvent(type="brand_logo_set", at=now, by=by, data={**about, "image": image}))
    return events
