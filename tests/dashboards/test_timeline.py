"""The picture of a rotation is drawn from the defaults."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from dashboards.timeline import timeline
from keyvault.policy import Policy
from tests.keyvault.made import with_policy

DOCS = Path(__file__).parents[2] / "docs"


def words_of(svg: str) -> set[str]:
    return {text for element in ET.fromstring(svg).iter() if (text := (element.text or "").strip())}


def test_the_documentations_picture_is_that_of_the_defaults() -> None:
    assert (DOCS / "rotation.svg").read_text() == timeline(Policy()), "python -m dashboards.timeline > docs/rotation.svg"


def test_it_says_the_policys_durations() -> None:
    found = words_of(timeline(with_policy(rotation_period=30 * 86_400_000, publish_ahead=7_200_000)))
    assert {"2 hours before", "after 30 days", "signs at once"} <= found
