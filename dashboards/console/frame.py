"""What surrounds every page: who is signed in, where they are, and where they can go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

HOME: Final = "/console"
SIGN_IN: Final = "/console/-/sign-in"
SIGN_OUT: Final = "/console/-/sign-out"
"""`-` can't be a tenant's id, so that no tenant loses its pages to these."""


@dataclass(frozen=True, slots=True)
class Brand:
    """How a tenant's pages look.

    Attributes:
        name: what stands in the corner.
        stylesheet: where its colours are; None for the console's own.
        logo: where its logo is; None for the console's own.
        logo_size: width and height to show it at, in CSS pixels.
    """

    name: str
    stylesheet: str | None = None
    logo: str | None = None
    logo_size: tuple[int, int] = (22, 22)


@dataclass(frozen=True, slots=True)
class Frame:
    """The surroundings of a page.

    Attributes:
        who: the name of the token that was signed in with; None before.
        csrf: what every form carries.
        operator: whether the list of tenants is theirs to see.
        tenant: the id of the tenant whose pages these are, if any.
        tenant_name: what people call it.
        sections: what the tenant's pages are called and where they are; only those that the token may see.
        brand: the tenant's own look, if it has one.
    """

    who: str | None = None
    csrf: str = ""
    operator: bool = False
    tenant: str | None = None
    tenant_name: str = ""
    sections: tuple[tuple[str, str], ...] = ()
    brand: Brand | None = None


def sections(tenant: str, *, events: bool, keys: bool, admin: bool = False) -> tuple[tuple[str, str], ...]:
    """The sections of a tenant that somebody may see."""
    all_of_them = (
        (events, "Log", log_path(tenant)),
        (keys, "Keys", keys_path(tenant)),
        (keys, "Relying parties", parties_path(tenant)),
        (admin, "Tokens", tokens_path(tenant)),
        (admin, "Brand", brand_path(tenant)),
    )
    return tuple((label, path) for seen, label, path in all_of_them if seen)


def log_path(tenant: str, **parameters: str) -> str:
    """The tenant's log; empty parameters are left out."""
    given = {name: value for name, value in parameters.items() if value}
    return f"{HOME}/{quote(tenant, safe='')}" + (f"?{urlencode(given)}" if given else "")


def event_path(tenant: str, event_id: str) -> str:
    """One event.

    A browser resolves `.` and `..` in a path, encoded or not, and would ask for another page. Such an id goes into the query.
    """
    base = f"{HOME}/{quote(tenant, safe='')}/events/"
    if {".", ".."} & set(event_id.split("/")):
        return base + "-?" + urlencode({"id": event_id})
    return base + quote(event_id, safe="")


def keys_path(tenant: str) -> str:
    """The tenant's key ring."""
    return f"{HOME}/{quote(tenant, safe='')}/keys"


def brand_path(tenant: str) -> str:
    """The tenant's brand."""
    return f"{HOME}/{quote(tenant, safe='')}/brand"


def compromise_path(tenant: str, kid: str) -> str:
    """What the compromise of a key comes to, and its report."""
    return f"{keys_path(tenant)}/compromise?{urlencode({'kid': kid})}"


def activate_path(tenant: str, kid: str) -> str:
    """What it comes to if this key signs now, and the button."""
    return f"{keys_path(tenant)}/activate?{urlencode({'kid': kid})}"


def history_path(tenant: str, after: str = "") -> str:
    """What happened to the keys; from a cursor on, if one is given."""
    return f"{keys_path(tenant)}/history" + (f"?{urlencode({'after': after})}" if after else "")


def parties_path(tenant: str, **parameters: str) -> str:
    """The tenant's relying parties; empty parameters are left out."""
    given = {name: value for name, value in parameters.items() if value}
    return f"{HOME}/{quote(tenant, safe='')}/relying-parties" + (f"?{urlencode(given)}" if given else "")


def party_path(tenant: str, party: str) -> str:
    """A relying party."""
    return f"{parties_path(tenant)}/{quote(party, safe='')}"


def tokens_path(tenant: str, after: str = "") -> str:
    """The tenant's access tokens; those after one of them, if it is given."""
    return f"{HOME}/{quote(tenant, safe='')}/tokens" + (f"?{urlencode({'after': after})}" if after else "")


def local(target: str) -> str:
    """Where to go after signing in: the target if it is a page of this console, else its first page.

    A browser takes `//host` for another host, a backslash for a slash, and drops tabs and line breaks while it reads: so only what
    begins with our own path and holds nothing of that is taken.
    """
    ours = target == HOME or target.startswith((HOME + "/", HOME + "?"))
    safe = len(target) <= 4096 and target.isprintable() and "\\" not in target
    return target if ours and safe else HOME
