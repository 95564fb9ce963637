"""A relying party: what it fetches, whether it has the next key, whether it survives a rotation, and what it was told."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import msgspec

from dashboards.console.caching_words import libraries
from dashboards.console.parties_page import PartyLine, party_line
from dashboards.console.party_form import UNITS, CheckForm, PartyForm
from dashboards.console.standby_readiness import PartyStands, key_name
from dashboards.console.survival_words import Verdict
from keyvault.readiness import readiness
from keyvault.relying_party import RelyingParty
from keyvault.ring import Ring


@dataclass(frozen=True, slots=True)
class Told:
    """A notice: of what the relying party is told, since when, and what became of it."""

    at: int
    event: str
    kid: str
    state: str
    bad: bool
    says: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A question about its survival, and the answer: a verdict, or what is wrong with the question."""

    form: CheckForm
    verdict: Verdict | None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyPage:
    """A relying party.

    Attributes:
        jwks_uri: where it fetches its JWKS.
        standby: what the standby is called; empty without one.
        checked: whether it survives, by its settings or by those that were tried.
        told: its notices, the newest first.
        form: to change it with; None for those who may not.
        expects: names it as it is shown, so that nobody's change is undone by somebody who had not seen it.
        removal: what comes of removing it, in sentences.
        notice: what has just been done.
        trouble: why it was not done.
    """

    template: ClassVar[str] = "party.html"
    tenant: str
    now: int
    party: PartyLine
    jwks_uri: str
    standby: str
    checked: Checked
    told: tuple[Told, ...]
    form: PartyForm | None
    expects: str
    removal: tuple[str, ...]
    libraries: tuple[tuple[str, str], ...] = libraries()
    units: tuple[str, ...] = tuple(UNITS)
    notice: tuple[str, ...] = ()
    trouble: str | None = None

    @property
    def title(self) -> str:
        """Of the page."""
        return f"{self.party.name[:60]} · relying party"

    @classmethod
    def of(
        cls,
        tenant: str,
        ring: Ring,
        party: RelyingParty,
        now: int,
        *,
        origin: Callable[[str], str],
        jwks_uri: str,
        checked: Checked,
        told: tuple[Told, ...],
        form: PartyForm | None,
        notice: tuple[str, ...] = (),
        trouble: str | None = None,
    ) -> PartyPage:
        """The page of one of the ring's; for the arguments, see the attributes and `PartiesPage.of`."""
        standby = ring.standby
        stands = None
        if standby is not None:
            [one] = [one for one in readiness(ring, ring.policy, standby) if one.relying_party.id == party.id]
            stands = PartyStands.of(one, ring.policy, now)
        return cls(
            tenant=tenant,
            now=now,
            party=party_line(party, origin, stands),
            jwks_uri=jwks_uri,
            standby=key_name(standby) if standby is not None else "",
            checked=checked,
            told=told,
            form=form,
            expects=fingerprint(party),
            removal=_removal(party, jwks_uri),
            notice=notice,
            trouble=trouble,
        )


def fingerprint(party: RelyingParty) -> str:
    """Names a relying party with all its settings, and tells none of them."""
    return hashlib.sha256(msgspec.json.encode(party)).hexdigest()[:32]


def _removal(party: RelyingParty, jwks_uri: str) -> tuple[str, ...]:
    own = (
        (f"{jwks_uri} answers 404 at once: if it still fetches there, it refuses every token when its cache ends.",)
        if party.own_url
        else ()
    )
    told = ("It is not told of the keys any more.",) if party.webhook is not None else ()
    return ("No rotation waits for it any more, and no warning names it.", *own, *told)
