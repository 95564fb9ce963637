"""The declared fields of an event: their names, types and meaning.

The names are those of the Elastic Common Schema (https://www.elastic.co/docs/reference/ecs), flat, so that search tools
know them. The query language, every search index, the API's documentation and the dashboards are made from this list.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class FieldType(Enum):
    """How a field is indexed, and so what can be asked of it."""

    KEYWORD = "keyword"
    """Exact, case-sensitive: terms, prefixes, ranges by code point are not promised."""
    TEXT = "text"
    """Words, case-insensitive: words, phrases and prefixes of words."""
    DATE = "date"
    """ISO 8601 with a zone, or relative to now; to the millisecond: terms and ranges."""
    IP = "ip"
    """IPv4 and IPv6 addresses: terms, ranges and networks (CIDR)."""
    FLAT = "flat"
    """The source's own object: `idp.some.path` takes terms and prefixes; every leaf is compared as its text."""


@dataclass(frozen=True, slots=True)
class Field:
    """One declared field.

    Attributes:
        name: flat ECS name.
        type: how it is indexed.
        meaning: one line for people.
        words: whether bare words of a query look into it (as words, whatever its type is).
        countable: whether `counts?by=` takes it: fields with few values, or few enough of them to count in no time.
    """

    name: str
    type: FieldType
    meaning: str
    words: bool = False
    countable: bool = False


FIELDS: tuple[Field, ...] = (
    Field("@timestamp", FieldType.DATE, "When it happened; the time of arrival if the source's time is implausible"),
    Field("event.id", FieldType.KEYWORD, "The source's own id, or one derived from where the event was read"),
    Field("event.action", FieldType.KEYWORD, "The source's type in lower case, as login_error", words=True, countable=True),
    Field("event.category", FieldType.KEYWORD, "ECS category, as authentication", countable=True),
    Field("event.outcome", FieldType.KEYWORD, "success, failure or unknown", countable=True),
    Field("event.reason", FieldType.KEYWORD, "Why it failed, or was done, in the source's words", words=True, countable=True),
    Field("event.provider", FieldType.KEYWORD, "keycloak, janssen, auth0, okta, cloudevents or tenantry", countable=True),
    Field("event.dataset", FieldType.KEYWORD, "The kind of events, as keycloak.admin", countable=True),
    Field("event.ingested", FieldType.DATE, "When it arrived here"),
    Field("user.id", FieldType.KEYWORD, "Who did it: the source's id of the user"),
    Field("user.name", FieldType.KEYWORD, "Who did it: the name used to sign in", words=True, countable=True),
    Field("client.id", FieldType.KEYWORD, "The OAuth client (relying party) that was used", words=True, countable=True),
    Field("session.id", FieldType.KEYWORD, "The session at the identity provider"),
    Field("source.ip", FieldType.IP, "Where it came from", words=True, countable=True),
    Field("message", FieldType.TEXT, "The source's own description", words=True),
    Field("tags", FieldType.KEYWORD, "Marks: implausible_time, invalid_characters, trimmed", countable=True),
    Field("tenant.id", FieldType.KEYWORD, "The tenant it belongs to"),
    Field("log.position", FieldType.KEYWORD, "Its position in the tenant's log"),
    Field("idp", FieldType.FLAT, "The source's own object, whole: idp.details.auth_method"),
)

BY_NAME: dict[str, Field] = {field.name: field for field in FIELDS}

MAX_TERM_CHARACTERS = 4096
"""Longer values are trimmed to this in an index, and in a query, so that they are still found; the event keeps them whole.
Four bytes a character at most, it stays under OpenSearch's 32,766 bytes and tantivy's 65,530."""


MAX_LEAVES_BYTES: Final = 250_000
"""Of the terms that one event's `idp` becomes in an index: what goes beyond is not searchable, and the event is marked `trimmed`."""


def trim(value: str) -> str:
    """The value as every index and every query term holds it."""
    return value[:MAX_TERM_CHARACTERS]
