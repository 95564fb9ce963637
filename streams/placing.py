"""Placing one raw event: decode it, find its tenant, normalise it, encode it, once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from streams.dead_letters import Reason
from streams.errors import DecodeError, UnknownSource
from streams.event import IMPLAUSIBLE_TIME, TRIMMED, Event, iso
from streams.fields import MAX_LEAVES_BYTES, MAX_TERM_CHARACTERS
from streams.raw_event import OWN, RawEvent
from streams.segment import Encoded
from streams.source_map import IGNORED, SourceMap
from streams.sources import keycloak_quick, registry
from streams.sources.decode import decode
from streams.sources.source import Normalised, Source

_YEAR_MS: Final = 365 * 24 * 3600 * 1000
_EARLIEST_MS: Final = 0
"""Events before 1970 did not happen at an identity provider."""

_QUICK: Final = registry.named("keycloak")
_encoder = msgspec.json.Encoder()


class _Read(NamedTuple):
    """A raw event, read: its source, its meaning, its document in one line, and the marks that it has to carry."""

    source: Source
    normalised: Normalised
    document: bytes
    tags: tuple[str, ...]


class Placed(NamedTuple):
    """An event that has found its tenant, encoded."""

    tenant: str
    encoded: Encoded


class Place:
    """Places raw events by the tenants' declared sources."""

    def __init__(self, sources: SourceMap, exists: Callable[[str], bool] = lambda _: True) -> None:
        """`exists` says whether there is such a tenant, for events that came by the way of one."""
        self._sources = sources
        self._exists = exists

    def __call__(self, raw: RawEvent) -> Placed | None:
        """The event in its tenant's words; None if an operator ignores its source.

        Raises:
            DecodeError: it can't be placed; with the reason for the dead letters.
        """
        source, normalised, document, tags = _quickly(raw) or _carefully(raw)
        tenant = self._tenant(raw, source, normalised)
        if tenant == IGNORED:
            return None
        time = normalised.time
        if time is None or not _EARLIEST_MS <= time <= raw.arrived + _YEAR_MS:
            # No index can hold the years 1 and 9999, and a time far ahead would stay on top of every list. `idp` keeps it.
            time = raw.arrived
            tags = (*tags, IMPLAUSIBLE_TIME)
        event_id = _event_id(normalised.id, raw)
        event = Event(
            timestamp=iso(time),
            id=event_id,
            action=normalised.action,
            category=normalised.category,
            outcome=normalised.outcome,
            provider=source.name,
            dataset=normalised.dataset,
            ingested=iso(raw.arrived),
            tenant=tenant,
            reason=normalised.reason,
            user_id=normalised.user_id,
            user_name=normalised.user_name,
            client_id=normalised.client_id,
            session_id=normalised.session_id,
            source_ip=normalised.source_ip,
            message=normalised.message,
            tags=tags,
            idp=msgspec.Raw(document),
        )
        return Placed(tenant, Encoded(event_id, time, _encoder.encode(event)))

    def _tenant(self, raw: RawEvent, source: Source, event: Normalised) -> str:
        if raw.tenant is not None and not self._exists(raw.tenant):
            raise DecodeError(
                Reason.UNKNOWN_TENANT_SOURCE, f"it came for tenant {raw.tenant[:100]!r}, which does not exist; create it and replay"
            )
        found = self._sources.resolve(source.name, event.selectors)
        if raw.tenant is None:
            if found is not None:
                return found
            said = " or ".join(f"{kind} {value!r}" for kind, value in event.selectors) or "nothing"
            raise DecodeError(
                Reason.UNKNOWN_TENANT_SOURCE,
                f"no tenant declares this {source.name} source: the event says {said}; declare it as a source of its tenant and replay",
            )
        if found == raw.tenant or (found is None and not source.names_tenant):
            return raw.tenant
        said = " or ".join(f"{kind} {value!r}" for kind, value in event.selectors)
        raise DecodeError(
            Reason.NAMES_ANOTHER_TENANT,
            f"the event names {said}, which is not a declared source of tenant {raw.tenant!r}; "
            "send it to its own tenant, or let an operator declare the source",
        )


def _quickly(raw: RawEvent) -> _Read | None:
    """An event of the kind that nearly all are, if nothing can be odd about it; the careful way would come to the same."""
    if raw.source is not None and raw.source != _QUICK.name:
        return None
    normalised = keycloak_quick.normalised(raw.value)
    return None if normalised is None else _Read(_QUICK, normalised, raw.value, ())


def _carefully(raw: RawEvent) -> _Read:
    decoded = decode(raw.value)
    source = _source(raw, decoded.raw)
    normalised = source.normalise(decoded.raw)
    size = len(decoded.document)
    trimmed = size > MAX_TERM_CHARACTERS and (size > MAX_LEAVES_BYTES or _has_long_leaf(decoded.raw))
    return _Read(source, normalised, decoded.document, (*decoded.tags, TRIMMED) if trimmed else decoded.tags)


def _event_id(own: str | None, raw: RawEvent) -> str:
    if own is None:
        return raw.identity
    if own.startswith(OWN):
        return "sha256:" + hashlib.sha256(own.encode()).hexdigest()
    return own


def _source(raw: RawEvent, decoded: dict[str, object]) -> Source:
    if raw.source is None:
        return registry.recognise(decoded)
    try:
        return registry.named(raw.source)
    except UnknownSource as error:
        raise DecodeError(Reason.UNKNOWN_FORMAT, str(error)) from error


def _has_long_leaf(value: object) -> bool:
    # The decoder has bounded the depth.
    if isinstance(value, str):
        return len(value) > MAX_TERM_CHARACTERS
    if isinstance(value, dict):
        return any(_has_long_leaf(part) for part in value.values())
    if isinstance(value, list):
        return any(_has_long_leaf(part) for part in value)
    return False
