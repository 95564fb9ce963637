"""The page for relying parties names what the program has."""

from __future__ import annotations

import re
from pathlib import Path

from keyvault.security_event import SecurityEventType
from services.notices.attempt import Trouble

PAGE = (Path(__file__).parents[3] / "docs" / "notices.md").read_text()


def test_the_page_has_each_event_and_no_other() -> None:
    named = re.findall(r"^\| `(https://tenantry.dev/security-events/[a-z-]+)` \|", PAGE, re.MULTILINE)
    assert named == [kind.value for kind in SecurityEventType]


def test_the_page_has_each_trouble_and_no_other() -> None:
    named = re.findall(r"^\| `([a-z_]+)` \|", PAGE.partition("## When none comes")[2], re.MULTILINE)
    assert named == [trouble.value for trouble in Trouble]
