"""The console's own files: style sheet, script, icon. Their URLs hold a hash of what is in them, so they can be cached for ever."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

PREFIX: Final = "/console/-/static/"
_TYPES: Final = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served."""

    body: bytes
    media_type: str


def _load() -> tuple[dict[str, str], dict[str, Asset]]:
    names: dict[str, str] = {}
    assets: dict[str, Asset] = {}
    for file in files(__package__).joinpath("static").iterdir():
        stem, _, kind = file.name.rpartition(".")
        if kind in _TYPES:
            body = file.read_bytes()
            hashed = f"{stem}.{hashlib.sha256(body).hexdigest()[:16]}.{kind}"
            names[file.name] = hashed
            assets[hashed] = Asset(body, _TYPES[kind])
    return names, assets


_NAMES, ASSETS = _load()
"""`ASSETS`: the files by their hashed names."""


def url(name: str) -> str:
    """Where the file is served."""
    return PREFIX + _NAMES[name]
