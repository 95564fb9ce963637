"""How a relying party keeps a JWKS, in plain words."""

from __future__ import annotations

import re
from typing import Final

from dashboards.console.times import words
from keyvault.caching import LIBRARIES
from keyvault.durations import parse_duration
from keyvault.relying_party import RelyingParty

_ISO: Final = re.compile(r"\bP(?:\d+D\b|T[0-9HMS.]+[HMS]\b)", re.ASCII)
NOBODY_SAID: Final = "Nobody has said how it keeps a JWKS."


def spoken(sentence: str) -> str:
    """A sentence of ours with its ISO 8601 durations as people say them, and without the marks around names of fields."""
    return _ISO.sub(lambda found: words(parse_duration(found[0])), sentence.replace("`", ""))


def caching_words(party: RelyingParty) -> str:
    """What it does with a JWKS that it has fetched, in a sentence."""
    rules = party.caching
    if rules is None:
        return NOBODY_SAID
    known = LIBRARIES.get(party.library) if party.library is not None else None
    who = known.title if known is not None else "It"
    kept = "what it fetched until it is restarted" if rules.lifetime is None else f"a JWKS for {words(rules.lifetime)}"
    each = ", each key by itself," if rules.per_key else ""
    if not rules.refetches:
        return f"{who} keeps {kept}{each} and does not fetch because of a key that it does not have."
    often = f", at most every {words(rules.cooldown)}" if rules.cooldown else ""
    return f"{who} keeps {kept}{each} and fetches when a token names a key that it does not have{often}."


def libraries() -> tuple[tuple[str, str], ...]:
    """The libraries that are known, by the name that one registers with, and what people call them."""
    return tuple((name, library.title) for name, library in LIBRARIES.items())
