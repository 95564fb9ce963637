"""The relying parties of a tenant: who verifies its tokens, how each keeps the keys, and whether it has the next one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

from dashboards.console.caching_words import caching_words, libraries
from dashboards.console.frame import parties_path
from dashboards.console.party_form import UNITS, PartyForm
from dashboards.console.standby_readiness import PartyStands, key_name
from keyvault.readiness import readiness
from keyvault.relying_party import RelyingParty
from keyvault.ring import Ring

_ROWS: Final = 50


@dataclass(frozen=True, slots=True)
class PartyLine:
    """A relying party in the list.

    Attributes:
        keeps: how it keeps a JWKS.
        webhook: where it is told of the keys, without path and query, which may be a secret; None if nowhere.
        stands: where it stands with the standby; None if there is none.
    """

    id: str
    name: str
    contact: str | None
    keeps: str
    own_url: bool
    webhook: str | None
    stands: PartyStands | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartiesPage:
    """The list, and the form that registers one.

    Attributes:
        parties: those of this page, by id.
        total: how many there are in all.
        found: how many of them `find` finds.
        older: where the next ones are; None if there are none.
        standby: what the standby is called; empty without one.
        form: to register with; None for those who may not.
        notice: what has just been done.
        trouble: why it was not done.
    """

    template: ClassVar[str] = "parties.html"
    tenant: str
    now: int
    parties: tuple[PartyLine, ...]
    total: int
    found: int
    find: str
    older: str | None
    standby: str
    form: PartyForm | None
    libraries: tuple[tuple[str, str], ...] = libraries()
    units: tuple[str, ...] = tuple(UNITS)
    notice: tuple[str, ...] = ()
    trouble: str | None = None

    @property
    def title(self) -> str:
        """Of the page."""
        return "Relying parties"

    @classmethod
    def of(
        cls,
        tenant: str,
        ring: Ring,
        now: int,
        *,
        origin: Callable[[str], str],
        find: str = "",
        after: str = "",
        form: PartyForm | None,
        notice: tuple[str, ...] = (),
        trouble: str | None = None,
    ) -> PartiesPage:
        """Those of a ring.

        Args:
            tenant: whose ring it is.
            ring: the current one.
            now: epoch milliseconds.
            origin: what may be shown of a webhook's address.
            find: what their ids, names or contacts hold.
            after: the id behind which the page begins.
            form: see the attribute, as are the rest.
            notice: see the attribute.
            trouble: see the attribute.
        """
        word = find.strip().lower()
        found = [party for party in ring.relying_parties if word in f"{party.id}\n{party.name}\n{party.contact or ''}".lower()]
        shown = [party for party in found if party.id > after][: _ROWS + 1]
        standby = ring.standby
        stands = {one.relying_party.id: one for one in readiness(ring, ring.policy, standby)} if standby is not None else {}
        return cls(
            tenant=tenant,
            now=now,
            parties=tuple(
                party_line(party, origin, PartyStands.of(stands[party.id], ring.policy, now) if stands else None) for party in shown[:_ROWS]
            ),
            total=len(ring.relying_parties),
            found=len(found),
            find=find.strip(),
            older=parties_path(tenant, find=find.strip(), after=shown[_ROWS - 1].id) if len(shown) > _ROWS else None,
            standby=key_name(standby) if standby is not None else "",
            form=form,
            notice=notice,
            trouble=trouble,
        )


def party_line(party: RelyingParty, origin: Callable[[str], str], stands: PartyStands | None) -> PartyLine:
    """The line of one."""
    return PartyLine(
        id=party.id,
        name=party.name,
        contact=party.contact,
        keeps=caching_words(party),
        own_url=party.own_url,
        webhook=origin(party.webhook) if party.webhook is not None else None,
        stands=stands,
    )
