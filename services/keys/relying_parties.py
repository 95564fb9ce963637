"""What a tenant does with its relying parties: register, change, remove."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from typing import Final, Literal
from urllib.parse import urlsplit

from keyvault.caching import LIBRARIES
from keyvault.durations import DAY
from keyvault.events import RelyingPartyRegistered, RelyingPartyRemoved
from keyvault.relying_party import RelyingParty
from keyvault.ring import Ring
from services.errors import AddressRefused, Conflict, Invalid, NotFound
from services.keys.rings import Rings, control_event
from services.outbound.client import Outbound
from streams.control_log import ControlEvent, ControlLog
from streams.scope import TenantScope

MOST: Final = 1000
"""Relying parties of a tenant."""

_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_LONGEST_MS: Final = 3650 * DAY


class Seen(Enum):
    """What is not a relying party, and not none, as that which somebody has seen before a change."""

    WHATEVER = "whatever"
    """The change is to be made whatever is there."""


Before = RelyingParty | Literal[Seen.WHATEVER] | None
"""What somebody has seen who makes a change: None if there was none. If it is another one by then, nothing is changed."""


async def register(
    control: ControlLog, rings: Rings, outbound: Outbound, scope: TenantScope, party: RelyingParty, by: str, now: int, *, before: Before
) -> bool:
    """Registers the relying party, or makes it be like this; True if it is new. Doing it again changes nothing.

    Raises:
        Invalid: something about it is wrong, or there are too many.
        Conflict: it is not what it was `before`.
    """
    _check(party)
    known = _find(rings.of(scope.tenant), party.id)
    if party.webhook is not None and (known is None or known.webhook != party.webhook):
        try:
            outbound.check(party.webhook)  # now, not at the first notice, which may come in months
        except AddressRefused as error:
            raise Invalid(f"webhook: {error}") from error
    created = False

    async def decide() -> Sequence[ControlEvent]:
        nonlocal created
        ring = rings.of(scope.tenant)
        found = _find(ring, party.id)
        created = found is None
        _check_seen(party.id, found, before)
        if found == party:
            return []
        if created and len(ring.relying_parties) >= MOST:
            raise Invalid(f"a tenant has {MOST} relying parties at most; remove one first")
        event = RelyingPartyRegistered(at=max(now, ring.changed_at), relying_party=party)
        return [control_event(event, by, None)]

    await control.commit(scope.tenant, decide)
    return created


async def remove(control: ControlLog, rings: Rings, scope: TenantScope, name: str, by: str, now: int, *, before: Before) -> None:
    """Forgets the relying party: its URL answers 404, and no rotation waits for it.

    Raises:
        NotFound: there is none with this id.
        Conflict: it is not what it was `before`.
    """

    async def decide() -> Sequence[ControlEvent]:
        ring = rings.of(scope.tenant)
        _check_seen(name, find(ring, name), before)
        return [control_event(RelyingPartyRemoved(at=max(now, ring.changed_at), id=name), by, None)]

    await control.commit(scope.tenant, decide)


def find(ring: Ring, name: str) -> RelyingParty:
    """The relying party with this id.

    Raises:
        NotFound: there is none.
    """
    found = _find(ring, name)
    if found is None:
        raise NotFound(f"this tenant has no relying party {name[:100]!r}")
    return found


def _find(ring: Ring, name: str) -> RelyingParty | None:
    return next((party for party in ring.relying_parties if party.id == name), None)


def _check_seen(name: str, found: RelyingParty | None, before: Before) -> None:
    # Where the log is decided on, not before: what a node knew when the request came may be old.
    if before is Seen.WHATEVER or found == before:
        return
    if before is None:
        raise Conflict(f"there is a relying party {name!r} already; choose another id, or change that one on its own page")
    raise Conflict(f"relying party {name!r} has been changed or removed meanwhile, so nothing was done; look at it again")


def _check(party: RelyingParty) -> None:
    if not _ID.fullmatch(party.id):
        raise Invalid(f"a relying party's id is a DNS label (a to z, 0 to 9 and hyphens, at most 63), not {party.id[:100]!r}")
    if party.library is not None and party.library not in LIBRARIES:
        raise Invalid(f"library: there is no {party.library[:100]!r}; known are {', '.join(LIBRARIES)}; leave it out, and give cached_for")
    if party.cached_for is not None and party.cached_for > _LONGEST_MS:
        raise Invalid("cached_for: is more than P3650D; leave it out for a client whose cache does not expire")
    if party.webhook is not None:
        _check_webhook(party.webhook)


def _check_webhook(url: str) -> None:
    try:
        parts = urlsplit(url)
        # Reading the port checks it. Whether it may be called is seen when it is, and each time anew.
        well = parts.scheme in {"https", "http"} and parts.hostname and parts.port != 0 and not parts.fragment
    except ValueError:
        well = False
    if not well or not url.isascii() or not url.isprintable() or " " in url:
        raise Invalid("webhook: must be an https URL of plain ASCII, without a fragment")
    if parts.username is not None or parts.password is not None:
        raise Invalid("webhook: must not have a user or password in it; the tokens that are sent are signed, which is how to trust them")
