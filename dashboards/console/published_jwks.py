"""The JWKS as relying parties see it: its text, how long it may be cached, and what each of its keys is for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Self

from dashboards.console.text import pretty
from dashboards.console.times import words
from keyvault.key import Key, KeyState
from keyvault.ring import Ring


@dataclass(frozen=True, slots=True)
class PublishedJwks:
    """The document as it is served now.

    Attributes:
        url: where relying parties fetch it.
        etag: its entity tag, with the quotes.
        max_age: for how many seconds it may be cached.
        cached: that in words.
        keys: what stands in it, in its order: each `kid`, and what it is for.
        size: of the body, in bytes.
        text: the body over several lines.
    """

    url: str
    etag: str
    max_age: int
    cached: str
    keys: tuple[tuple[str, str], ...]
    size: int
    text: str

    @classmethod
    def of(cls, ring: Ring, *, url: str, body: bytes, etag: str, max_age: int) -> Self:
        """Of what is served, and the ring that it was made from."""
        usual = ring.policy.jwks_max_age
        shorter = f", less than the usual {words(usual)}, since a change is planned" if max_age * 1000 < usual // 1000 * 1000 else ""
        document = json.loads(body)
        by_kid = {key.kid: key for key in ring.keys}
        return cls(
            url=url,
            etag=etag,
            max_age=max_age,
            cached=f"{words(max_age * 1000)}{shorter}",
            keys=tuple((str(one["kid"]), _purpose(by_kid.get(one["kid"]))) for one in document["keys"]),
            size=len(body),
            text=pretty(document),
        )


def _purpose(key: Key | None) -> str:
    match key.state if key is not None else None:
        case KeyState.ACTIVE:
            return "signs"
        case KeyState.PRE_ACTIVATION:
            return "signs next"
        case _:
            return "verifies what it signed"
