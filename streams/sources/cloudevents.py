"""The source `cloudevents`: CloudEvents 1.0 in JSON, structured, for everything that has no source of its own.

Attributes: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#context-attributes; JSON:
https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md. A batch is an array of these; whoever takes it
sends each as an event of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from streams.dead_letters import Reason
from streams.errors import DecodeError
from streams.sources.fields import identity, instant, required_text, text
from streams.sources.source import Normalised, Selector, Source

_LAST_WORD: Final = re.compile(r"[^._:/-]*\Z")
_OUTCOMES: Final = {
    "succeeded": "success",
    "success": "success",
    "failed": "failure",
    "failure": "failure",
    "error": "failure",
    "denied": "failure",
    "rejected": "failure",
}
"""The outcome by the last word of the type, as in `com.example.login.failed`. The specification has no attribute for it."""


class CloudEvents(Source):
    """CloudEvents of any kind. `subject` becomes the message, so that bare words find it; `data` is kept and searchable under `idp`."""

    name: str = "cloudevents"
    selector_kinds: tuple[str, ...] = ("source",)
    names_tenant: bool = False

    def recognises(self, raw: Mapping[str, Any]) -> bool:
        return raw.get("specversion") is not None

    def normalise(self, raw: Mapping[str, Any]) -> Normalised:
        version = required_text(raw, "specversion")
        if version != "1.0":
            raise DecodeError(Reason.UNKNOWN_FORMAT, f"`specversion` is {version[:100]!r}, and only CloudEvents 1.0 is understood")
        kind, source = required_text(raw, "type"), required_text(raw, "source")
        found = _LAST_WORD.search(kind.lower())
        return Normalised(
            selectors=(Selector("source", source),),
            id=identity(_unique(source, required_text(raw, "id"))),
            time=instant(raw, "time"),
            action=kind.lower(),
            category="api",  # ECS has no category for anything else
            outcome=_OUTCOMES.get(found.group() if found else "", "unknown"),
            dataset="cloudevents.event",
            message=text(raw, "subject"),
        )


def _unique(source: str, event_id: str) -> str:
    """The event's identity: `source` and `id` together are unique, says the specification, and neither is alone.

    `#` joins them. One in `source` is escaped, so that no other pair gives the same.
    """
    return f"{source.replace('%', '%25').replace('#', '%23')}#{event_id}"
