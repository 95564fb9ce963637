"""The service's sentences on a page: times and durations as people say them, and everything else as it is."""

from __future__ import annotations

import pytest

from dashboards.console.told import told


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("It lasts PT25H.", "It lasts 25 hours."),
        ("from P90D to P30D; not before PT11.473S", "from 90 days to 30 days; not before 11 seconds"),
        ("until 2026-11-26T22:21:46.123Z.", 'until <time datetime="2026-11-26T22:21:46Z">2026-11-26 22:21:46Z</time>.'),
        ("at 2026-11-26 22:21:46Z", 'at <time datetime="2026-11-26T22:21:46Z">2026-11-26 22:21:46Z</time>'),
        ("key aPT25H, PT25H-b and PT25Hc", "key aPT25H, PT25H-b and PT25Hc"),
        ("PTM and P.D", "PTM and P.D"),
        ("<b>PT1H</b>\u202e", "&lt;b&gt;1 hour&lt;/b&gt;<i>RLO</i>"),
    ],
)
def test_a_sentence_is_said_as_people_do(text: str, shown: str) -> None:
    assert told(text) == shown
