"""The pages of relying parties: what is shown of a webhook, paging, hostile names, and verdicts in plain words."""

from __future__ import annotations

import pytest

from dashboards.console.frame import Frame
from dashboards.console.parties_page import PartiesPage
from dashboards.console.party_form import Amount, CheckForm, PartyForm
from dashboards.console.party_page import Checked, PartyPage, Told, fingerprint
from dashboards.console.render import render
from dashboards.console.survival_words import Verdict
from keyvault.caching import LIBRARIES
from keyvault.durations import DAY, HOUR, MINUTE
from keyvault.events import RelyingPartyRegistered
from keyvault.relying_party import RelyingParty
from keyvault.survival import check
from tests.dashboards.hostile import HOSTILE, is_text
from tests.keyvault.made import NOW, POLICY, History, settled

SHOP = RelyingParty(
    id="shop", name="Shop", contact="shop@example.com", library="spring", own_url=True, webhook="https://shop.example/keys?token=s3cret"
)


def origin(url: str) -> str:
    return url.partition("/keys")[0]


def with_parties(*parties: RelyingParty) -> History:
    history = settled()
    history.append(RelyingPartyRegistered(at=NOW, relying_party=party) for party in parties)
    return history


def listed(history: History, *, find: str = "", after: str = "", form: PartyForm | None = None) -> PartiesPage:
    return PartiesPage.of("acme", history.ring, NOW + HOUR, origin=origin, find=find, after=after, form=form)


def page(party: RelyingParty, *, form: PartyForm | None = None, checked: Checked | None = None, told: tuple[Told, ...] = ()) -> PartyPage:
    return PartyPage.of(
        "acme",
        with_parties(party).ring,
        party,
        NOW + HOUR,
        origin=origin,
        jwks_uri="https://id.example/t/acme/rp/shop/jwks.json",
        checked=checked or Checked(CheckForm.of(party), None),
        told=told,
        form=form,
    )


def test_a_webhooks_secret_is_on_no_page() -> None:
    for html in (render(listed(with_parties(SHOP)), Frame()), render(page(SHOP, form=PartyForm.of(SHOP)), Frame())):
        assert "https://shop.example" in html
        assert "s3cret" not in html
    assert "s3cret" not in fingerprint(SHOP)


def test_nobody_is_registered_at_first() -> None:
    html = render(listed(settled(), form=PartyForm()), Frame())
    assert "None is registered yet" in html
    assert 'name="id"' in html


def test_whoever_may_not_register_gets_no_form() -> None:
    assert "<form" not in render(listed(settled()), Frame())
    assert "tenant:admin" in render(page(SHOP), Frame())


def test_many_come_page_by_page_and_can_be_found() -> None:
    parties = [RelyingParty(id=f"p{number:03}", name=f"Number {number}") for number in range(120)]
    history = with_parties(*parties)
    shown, after = [], ""
    while True:
        found = listed(history, after=after)
        shown += [party.id for party in found.parties]
        if found.older is None:
            break
        after = found.parties[-1].id
        assert f"after={after}" in found.older
    assert shown == [party.id for party in parties]
    assert [party.id for party in listed(history, find="number 7").parties] == ["p007", *(f"p07{number}" for number in range(10))]
    assert "No relying party is called that" in render(listed(history, find=HOSTILE), Frame())


def test_a_page_of_the_longest_list_is_small() -> None:
    parties = [RelyingParty(id=f"p{number:03}", name="N" * 200, contact="c" * 320, library="jwks-rsa-java") for number in range(60)]
    assert len(render(listed(with_parties(*parties), form=PartyForm()), Frame())) < 100_000


def test_hostile_names_are_text() -> None:
    hostile = RelyingParty(id="x", name=HOSTILE, contact=HOSTILE, library=HOSTILE, webhook=HOSTILE)
    assert is_text(render(listed(with_parties(hostile), find=HOSTILE, form=PartyForm.of(hostile)), Frame()))
    told = (Told(NOW, HOSTILE, HOSTILE, "waiting", bad=True, says=HOSTILE),)
    assert is_text(
        render(page(hostile, form=PartyForm.of(hostile), told=told, checked=Checked(CheckForm.of(hostile), None, HOSTILE)), Frame())
    )


def test_removing_says_what_comes_of_it() -> None:
    said = " ".join(page(SHOP).removal)
    assert "No rotation waits for it" in said
    assert "https://id.example/t/acme/rp/shop/jwks.json answers 404 at once" in said
    assert "not told of the keys any more" in said
    assert len(page(RelyingParty(id="x", name="X")).removal) == 1


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_verdict_is_in_plain_words(library: str) -> None:
    found = Verdict.of(check(LIBRARIES[library].caching, POLICY))
    assert found.planned
    assert not [line for line in (*found.findings, *found.advice) if "PT" in line or "P1D" in line]
    assert found.findings[0] in render(page(SHOP, checked=Checked(CheckForm(library), found)), Frame()).replace("&#39;", "'")


@pytest.mark.parametrize(
    ("ms", "typed"),
    [
        (None, Amount("", "hours")),
        (2 * DAY, Amount("2", "days")),
        (25 * HOUR, Amount("25", "hours")),
        (90 * MINUTE, Amount("90", "minutes")),
        (1500, Amount("1.5", "seconds")),
        (0, Amount("0", "seconds")),
    ],
)
def test_a_duration_is_typed_in_the_longest_unit_in_which_it_is_whole(ms: int | None, typed: Amount) -> None:
    assert Amount.of(ms) == typed


def test_a_fingerprint_is_of_all_settings() -> None:
    others = [
        RelyingParty(
            id="shop", name="Shop", contact="shop@example.com", library="spring", own_url=True, webhook="https://shop.example/keys?token=x"
        ),
        RelyingParty(id="shop", name="Shop", contact="shop@example.com", library="spring", own_url=True),
        RelyingParty(id="shop", name="Shop"),
    ]
    assert len({fingerprint(one) for one in (SHOP, *others)}) == 4
