r"""Keycloak's own log listener (`jboss-logging`), which is refused.

It prints events as `key="value"` text, alone or within a line of the JSON console log. It can't be partitioned safely: for
admin events it names the *administrator's* realm and not the changed one, it has no event ids, and it escapes `"` but not
`\`, so that a username can end its field and forge the next. Source: `JBossLoggingEventListenerProvider.java` of Keycloak.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from streams.dead_letters import Reason
from streams.errors import DecodeError

_LOGGER: Final = "org.keycloak.events"
_LINE: Final = re.compile(rb'(?:^|[\s\]])(?:type|operationType)="[A-Z0-9_]+", realmId="')


def is_line(text: bytes) -> bool:
    """Whether this is a plain text line of that listener."""
    return _LINE.search(text) is not None


def is_record(raw: Mapping[str, Any]) -> bool:
    """Whether this is a record of that listener in Keycloak's JSON log (`log-console-output=json`, also in its ECS form)."""
    return _LOGGER in (raw.get("loggerName"), raw.get("log.logger"))


def refusal() -> DecodeError:
    """Why it is refused, and what to send instead."""
    return DecodeError(
        Reason.KEYCLOAK_LOG_LINE,
        "a line of Keycloak's log has no event id, and names the administrator's realm instead of the changed one; "
        "send the events themselves, from an HTTP or Kafka event listener or from the events REST API",
    )
