"""The event formats that there are, by name and by content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from streams.dead_letters import Reason
from streams.errors import DecodeError, UnknownSource
from streams.sources.auth0 import Auth0
from streams.sources.cloudevents import CloudEvents
from streams.sources.janssen import Janssen
from streams.sources.keycloak import Keycloak
from streams.sources.okta import Okta
from streams.sources.source import Source

SOURCES: Final[Mapping[str, Source]] = {source.name: source for source in (Keycloak(), Janssen(), Auth0(), Okta(), CloudEvents())}
"""All sources, the ones that see most events first."""

_ALL: Final = tuple(SOURCES.values())


def named(name: str) -> Source:
    """The source of this name.

    Raises:
        UnknownSource: there is none; the message lists those that there are.
    """
    try:
        return SOURCES[name]
    except KeyError:
        raise UnknownSource(name, SOURCES) from None


def recognise(raw: Mapping[str, Any]) -> Source:
    """The one source that recognises the decoded object.

    Raises:
        DecodeError: with `unknown_format`, none does, or several: its sender could then choose what it is taken for.
    """
    found = [source for source in _ALL if source.recognises(raw)]
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(source.name for source in found)
        raise DecodeError(Reason.UNKNOWN_FORMAT, f"the event looks like one of {names}; say which when you send it")
    keys = ", ".join(f"`{key[:40]}`" for key in list(raw)[:8]) or "no fields"
    raise DecodeError(Reason.UNKNOWN_FORMAT, f"no source recognises an event with {keys}; known are {', '.join(SOURCES)}")
