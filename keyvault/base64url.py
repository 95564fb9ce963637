"""Strict base64url without padding (RFC 7515 section 2)."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

_ALPHABET = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)


def encode(data: bytes) -> str:
    """The bytes as base64url, without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """The bytes that `encode` makes this text of. Exactly one text is accepted for any bytes, so a token can't be varied.

    Raises:
        ValueError: other characters, padding, an impossible length, or bits set where nothing is encoded.
    """
    if not _ALPHABET.fullmatch(text):
        raise ValueError("not base64url: only A-Z, a-z, 0-9, - and _, without padding")
    if len(text) % 4 == 1:
        raise ValueError("not base64url: no bytes have an encoding of this length")
    data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(data) != text:
        raise ValueError("not base64url: the last character has bits set that encode nothing")
    return data
