"""The service's own sentences on a page. They are written for programs, too, so a page says their times and durations as people do."""

from __future__ import annotations

import re
from typing import Final

from markupsafe import Markup

from dashboards.console.text import visible
from dashboards.console.times import words
from keyvault.durations import parse_duration
from keyvault.errors import InvalidDuration

_TOLD: Final = re.compile(
    r"(?<![\w-])(?:(?P<day>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d:\d\d)(?:\.\d+)?Z|(?P<length>P(?=[\dT])[\dDTHMS.]*[DHMS]))(?![\w-])"
)
"""RFC 3339 in UTC, or an ISO 8601 duration; a `kid` that holds one as a part is left alone."""


def told(text: str) -> Markup:
    """A sentence as HTML: times to the second, on one line each, and `PT25H` as 25 hours."""
    parts: list[Markup] = []
    at = 0
    for found in _TOLD.finditer(text):
        parts += (visible(text[at : found.start()]), _said(found))
        at = found.end()
    return Markup("").join((*parts, visible(text[at:])))


def _said(found: re.Match[str]) -> Markup:
    if found["length"] is None:
        return Markup('<time datetime="{0}T{1}Z">{0} {1}Z</time>').format(found["day"], found["time"])
    try:
        return Markup("{}").format(words(parse_duration(found["length"])))
    except InvalidDuration:
        return visible(found["length"])
