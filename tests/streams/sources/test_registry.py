"""Sources by name and by content."""

from __future__ import annotations

import pytest

from streams.dead_letters import Reason
from streams.errors import DecodeError, UnknownSource
from streams.sources.registry import SOURCES, named, recognise
from tests.streams.sources.samples import SAMPLES, events


def test_the_sources_there_are() -> None:
    assert list(SOURCES) == ["keycloak", "janssen", "auth0", "okta", "cloudevents"]
    assert all(named(name).name == name for name in SOURCES)


def test_an_unknown_name_is_refused_and_the_known_ones_listed() -> None:
    with pytest.raises(UnknownSource, match="'keykloak'; use one of keycloak, janssen, auth0, okta, cloudevents"):
        named("keykloak")


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_sample_is_recognised_by_its_own_source_alone(sample: str) -> None:
    own = sample.split(maxsplit=1)[0]

    for raw in events(sample):
        assert [source.name for source in SOURCES.values() if source.recognises(raw)] == [own]
        assert recognise(raw).name == own


@pytest.mark.parametrize(
    "raw", [{}, {"hello": 1}, {"realmId": None, "type": None}, {"log_id": "1", "data": 5}, {"log_id": "1", "data": {}}]
)
def test_other_objects_are_refused(raw: dict[str, object]) -> None:
    with pytest.raises(DecodeError, match="known are keycloak, janssen, auth0, okta, cloudevents") as caught:
        recognise(raw)
    assert caught.value.reason == Reason.UNKNOWN_FORMAT


def test_an_event_that_could_be_two_things_is_refused() -> None:
    with pytest.raises(DecodeError, match="looks like one of keycloak and cloudevents") as caught:
        recognise({"specversion": "1.0", "realmId": "r1", "type": "LOGIN"})
    assert caught.value.reason == Reason.UNKNOWN_FORMAT
