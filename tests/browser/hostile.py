"""What attackers write where they may write anything: user names, clients, reasons, names of keys. It must show as text everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

RUNS: Final = "window.ran='it did'"
SCRIPTS: Final = (
    f"<script>{RUNS}</script>",
    f'<img src=x onerror="{RUNS}">',
    f"\"'><svg/onload={RUNS}>",
    f"' autofocus onfocus={RUNS} x='",
    f"javascript:{RUNS}",
    f"</title></textarea></style><script>{RUNS}</script><!--",
    "<base href=//evil.example><meta http-equiv=refresh content=0;url=//evil.example>",
    "{{ 7*191 }}{% raw %}",
    "<style>*{display:none}</style><plaintext>",
)
CONTROLS: Final = (
    "\x1b[2J\x1b[31mred\x1b]0;owned\x07\x9b31m",
    "2026-11-23 10:00\r\n\tadmin\tlogin\tsuccess",
    "a\x00b\x08\x7f",
    "\ud83d",  # half of a pair
)
DIRECTIONS: Final = (
    "exe.\u202egpj.\u202c",
    "\u2067admin\u2069\u200f\u200e\u061c",
    "\u0645\u0633\u062a\u062e\u062f\u0645 admin",
    "ad\u200bmin\ufeff\u00ad\u2060",
    "\u2028admin\u2029",
)
FORMULAS: Final = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", "\r=1+1", "=cmd|'/c calc'!A1", "\uff1d1+1", '=HYPERLINK("//evil.example")')
LARGE: Final = ("W" * 3000, "\u00e4\u0301" + "\u0301" * 400, "\U0001f469\u200d\U0001f4bb" * 200, "a." * 1500)
HOSTILE: Final = (*SCRIPTS, *CONTROLS, *DIRECTIONS, *FORMULAS, *LARGE)
OBEYED: Final = "\x00\x07\x08\x1b\x7f\x9b\u061c\u200b\u200e\u200f\u2028\u2029\u202c\u202e\u2060\u2067\u2069\ufeff"
"""What must not come out as it is, on a page or at a terminal."""


def events() -> Iterator[dict[str, Any]]:
    """An event for each, as Okta's log has it; it says it wherever it may, in the names of unknown fields, too."""
    for number, text in enumerate(HOSTILE):
        yield {
            "uuid": f"{number}-{text[:100]}",
            "published": f"2026-11-20T10:00:{number:02}.000Z",
            "eventType": f"user.session.start{text}",
            "displayMessage": text,
            "actor": {"id": text, "type": "User", "alternateId": text, "displayName": text},
            "client": {"ipAddress": text, "id": text, "zone": text, "userAgent": {"rawUserAgent": text}},
            "outcome": {"result": "FAILURE", "reason": text},
            "authenticationContext": {"externalSessionId": text},
            "debugContext": {"debugData": {text[:200]: text, f"more {text[:200]}": [text, {"deep": text}]}},
        }
