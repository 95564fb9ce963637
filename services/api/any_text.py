"""`{name:text}` in a route's path: any text. Starlette's `path` ends before a line break, which ids of events can have."""

from __future__ import annotations

from typing import Final

from starlette.convertors import Convertor, register_url_convertor


class _Text(Convertor[str]):
    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("text", _Text())

EVENT_ID: Final = "{event_id:text}"
EVENT: Final = "/v1/tenants/{tenant}/events/" + EVENT_ID
