"""What somebody may call their relying party, token or key, and a look at whether a page took it for text."""

from __future__ import annotations

import re

HOSTILE = "\"'><script>alert(1)</script>\x1b[31m\u202e<img src=x onerror=alert(2)>{{ 7*191 }}"


def is_text(html: str) -> bool:
    """Whether nothing of it became markup or ran in the template, and all of it can be seen.

    A box holds what was typed as it was, so that sending it again changes nothing.
    """
    ran = "<script>alert" in html or "<img src=x" in html or "1337" in html
    shown = re.sub(r'(?<=<input )[^>]*\bvalue="[^"]*"', "", html)
    return not ran and "\x1b" not in shown and "\u202e" not in shown
