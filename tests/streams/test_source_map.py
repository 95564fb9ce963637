"""Whose events are whose."""

from __future__ import annotations

import pytest

from streams.errors import DecodeError, SourceTaken
from streams.source_map import SourceMap, as_json, declaration
from streams.sources.source import Selector

ACME = declaration({"provider": "keycloak", "realm_id": "1", "realm": "acme"})
NAME_ONLY = declaration({"provider": "keycloak", "realm": "plain"})


def said(realm_id: str | None = None, realm: str | None = None) -> tuple[Selector, ...]:
    pairs = (("realm_id", realm_id), ("realm", realm))
    return tuple(Selector(kind, value) for kind, value in pairs if value is not None)


@pytest.fixture
def sources() -> SourceMap:
    found = SourceMap()
    found.apply("acme", [ACME])
    found.apply("plain", [NAME_ONLY])
    return found


def test_what_has_another_owner_by_now_stays_that_ones(sources: SourceMap) -> None:
    """The end of the owner before may be folded afterwards: it is in another partition."""
    sources.apply("other", [ACME])
    sources.apply("acme", [])
    assert sources.resolve("keycloak", said("1")) == "other"
    with pytest.raises(SourceTaken):
        sources.check_free("third", [ACME])


@pytest.mark.parametrize(
    ("selectors", "tenant"),
    [
        (said("1"), "acme"),
        (said("1", "acme"), "acme"),
        (said("1", "renamed"), "acme"),
        (said(None, "acme"), "acme"),
        (said("9", "plain"), "plain"),
        (said("9", "other"), None),
        ((), None),
    ],
)
def test_the_strongest_selector_decides(sources: SourceMap, selectors: tuple[Selector, ...], tenant: str | None) -> None:
    assert sources.resolve("keycloak", selectors) == tenant


def test_a_realm_of_the_declared_name_with_another_id_is_a_conflict(sources: SourceMap) -> None:
    with pytest.raises(DecodeError) as caught:
        sources.resolve("keycloak", said("9", "acme"))
    assert caught.value.reason == "conflicting_source"


def test_another_providers_selectors_are_others(sources: SourceMap) -> None:
    assert sources.resolve("auth0", said("1")) is None


def test_a_selector_has_one_owner(sources: SourceMap) -> None:
    with pytest.raises(SourceTaken):
        sources.check_free("globex", [declaration({"provider": "keycloak", "realm": "acme"})])
    sources.check_free("acme", [ACME])


def test_a_new_declaration_replaces_the_old_one(sources: SourceMap) -> None:
    sources.apply("acme", [declaration({"provider": "keycloak", "realm_id": "2"})])
    assert sources.resolve("keycloak", said("1")) is None
    assert sources.resolve("keycloak", said("2")) == "acme"
    sources.apply("globex", [ACME])
    assert sources.resolve("keycloak", said("1")) == "globex"


def test_declarations_are_json() -> None:
    assert declaration(as_json(ACME)) == ACME
