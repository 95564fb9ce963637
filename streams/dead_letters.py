"""Dead letters: why a raw event, or a segment, could not go on."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The machine-readable reason of a dead letter, and of a `DecodeError`. The letter's message is for people."""

    NOT_JSON = "not_json"
    """The bytes are no JSON text (RFC 8259): cut off, malformed, NaN, or a number that no reader can hold."""
    NOT_AN_OBJECT = "not_an_object"
    """JSON, but not an object; every source sends objects."""
    TOO_LARGE = "too_large"
    """Longer than one event may be. What is too long for a dead letter, too, has its beginning there, and the message says where it is."""
    TOO_DEEP = "too_deep"
    """Nested deeper than one event may be."""
    DUPLICATE_KEY = "duplicate_key"
    """An object has the same key twice: two readers could see two different events (RFC 8259 section 4)."""
    UNKNOWN_FORMAT = "unknown_format"
    """No source recognises it, more than one does, or it is of a version that its source does not know."""
    KEYCLOAK_LOG_LINE = "keycloak_log_line"
    """A line of Keycloak's server log: it has no event id, and names the administrator's realm instead of the tenant's."""
    MISSING_FIELD = "missing_field"
    """A field without which the event has no meaning or no tenant is not there."""
    WRONG_TYPE = "wrong_type"
    """A field has another type than its source documents."""
    UNKNOWN_TENANT_SOURCE = "unknown_tenant_source"
    """No tenant has declared the source that the event names. Declare it, and replay."""
    NAMES_ANOTHER_TENANT = "names_another_tenant"
    """It came by the way of one tenant (its token, its file) and names a source that this tenant has not declared."""
    CONFLICTING_SOURCE = "conflicting_source"
    """It names two sources that do not belong together, as the name of one realm and the id of another."""
    INDEX_REJECTED = "index_rejected"
    """The search index refuses the event for good. It is in the tenant's log."""
    UNREADABLE_SEGMENT = "unreadable_segment"
    """A record of the tenant log that this version can't read."""
    INTERNAL_ERROR = "internal_error"
    """Tenantry failed to place the event. Its own log says why; replay once it is mended."""
