"""Token secrets: opaque strings, shown once, of which only a hash is kept."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from typing import NamedTuple

_TOKEN = re.compile(r"tnt_(?P<id>[0-9a-f]{16})_(?P<secret>[A-Za-z0-9_-]{43})", re.ASCII)


class Secret(NamedTuple):
    """A new token: its public id, the text for its holder, and the hash to keep."""

    id: str
    text: str
    hash: str

    def __repr__(self) -> str:
        """Without the secret, so that no log or traceback shows it."""
        return f"Secret(id={self.id!r})"


def new_secret() -> Secret:
    """A token with 256 random bits. `tnt_` lets secret scanners find one that was leaked."""
    token_id = secrets.token_hex(8)
    text = f"tnt_{token_id}_{secrets.token_urlsafe(32)}"
    return Secret(token_id, text, hashed(text))


def token_id(text: str) -> str | None:
    """The id of a token, or None if the text can't be one."""
    match = _TOKEN.fullmatch(text)
    return match["id"] if match else None


def hashed(text: str) -> str:
    """SHA-256: a slow password hash adds nothing to 256 random bits, and every request would pay for it."""
    return hashlib.sha256(text.encode()).hexdigest()


def matches(text: str, kept: str) -> bool:
    """Whether the hash is the text's, in constant time."""
    return hmac.compare_digest(hashed(text), kept)
