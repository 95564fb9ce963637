"""The protocol of all verifier programs: a token per line in; `ok`, or the error's name, per line out."""

from __future__ import annotations

import sys
from collections.abc import Callable


def serve(verify: Callable[[str], object]) -> None:
    """Answers each line of standard input until it ends. Whatever `verify` raises is a refusal."""
    for line in sys.stdin:
        try:
            verify(line.strip())
        except Exception as error:  # noqa: BLE001 -- a library's errors have no common root
            print(type(error).__name__, flush=True)
        else:
            print("ok", flush=True)
