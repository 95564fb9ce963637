"""The declared sources: which tenant's events come from where, and which sources are ignored.

One aggregate for all tenants, because a source has one owner at most: two operators who declare the same source for two
tenants at once can't both succeed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from services.errors import Invalid
from streams.control_log import ControlEvent, ControlLog, Projection
from streams.errors import UnknownSource
from streams.source_map import Declaration, SourceMap, as_json, declaration
from streams.sources import registry

SOURCES: Final = "@sources"


class Sources(Projection):
    """Folds `sources_declared` into the map that the router asks."""

    def __init__(self) -> None:
        self.map = SourceMap()
        self._deleted: set[str] = set()

    def apply(self, key: str, event: ControlEvent) -> None:
        """Folds `sources_declared`, which names all of the owner's sources, and `tenant_deleted`, in whatever order they come."""
        if event.type == "tenant_deleted":
            self._deleted.add(key)
            self.map.apply(key, ())
        elif key == SOURCES and event.type == "sources_declared" and event.data["owner"] not in self._deleted:
            self.map.apply(event.data["owner"], [declaration(source) for source in event.data["sources"]])


async def declare(control: ControlLog, sources: Sources, owner: str, declarations: Sequence[Declaration], by: str, now: int) -> None:
    """Makes these the owner's sources, and no others.

    Raises:
        SourceTaken: one belongs to another owner.
    """

    async def decide() -> Sequence[ControlEvent]:
        if sources.map.of(owner) == tuple(declarations):
            return []
        sources.map.check_free(owner, declarations)
        data = {"owner": owner, "sources": [as_json(one) for one in declarations]}
        return [ControlEvent(type="sources_declared", at=now, by=by, data=data)]

    await control.commit(SOURCES, decide)


def parse(value: object, where: str) -> Declaration:
    """The declaration of a JSON object, checked against what its provider's events can say.

    Raises:
        Invalid: names what is wrong.
    """
    if not isinstance(value, dict) or not isinstance(provider := value.get("provider"), str):
        raise Invalid(f'{where} must be an object with a "provider", as {{"provider": "keycloak", "realm_id": "…", "realm": "…"}}')
    try:
        source = registry.named(provider)
    except UnknownSource as error:
        raise Invalid(f"{where}.provider: {error}") from error
    kinds = source.selector_kinds
    for kind, text in value.items():
        if kind != "provider" and kind not in kinds:
            known = f"takes {', '.join(kinds)}" if kinds else "takes nothing else: its events name no tenant"
            raise Invalid(f"{where}.{kind!a} is unknown; {provider} {known}")
        if not isinstance(text, str) or not 0 < len(text) <= 512:
            raise Invalid(f"{where}.{kind} must be a text of 1 to 512 characters")
    if kinds and len(value) == 1:
        raise Invalid(f"{where} must say which {provider}: add {' or '.join(kinds)}")
    # In the order of their strength, whatever the order in the request.
    return declaration({"provider": provider, **{kind: value[kind] for kind in kinds if kind in value}})
