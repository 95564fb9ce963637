"""Whose events are whose: which tenant has declared which source.

A fold of control events, held in memory by every node. A tenant's declaration names a provider and one or more selectors,
as `{"provider": "keycloak", "realm_id": "bf4a…", "realm": "globex"}`; no two tenants can declare the same selector.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from streams.dead_letters import Reason
from streams.errors import DecodeError, SourceTaken
from streams.sources.source import Selector

IGNORED: Final = "@ignored"
"""The owner of the sources that an operator told us to ignore; no tenant id looks like it."""


class Declaration(NamedTuple):
    """One source of a tenant."""

    provider: str
    selectors: tuple[Selector, ...]


class SourceMap:
    """Answers which tenant an event belongs to. `apply` is the only way to change it."""

    def __init__(self) -> None:
        self._declared: dict[str, tuple[Declaration, ...]] = {}
        self._owners: dict[tuple[str, Selector], tuple[str, Declaration]] = {}

    def apply(self, owner: str, declarations: Iterable[Declaration]) -> None:
        """From now on these are the owner's sources, and no others."""
        for declaration in self._declared.pop(owner, ()):
            for selector in declaration.selectors:
                # The next owner's declaration may be folded before this one's deletion, which is in another partition.
                if self._owners.get((declaration.provider, selector), ("",))[0] == owner:
                    del self._owners[declaration.provider, selector]
        kept = tuple(declarations)
        if kept:
            self._declared[owner] = kept
        for declaration in kept:
            for selector in declaration.selectors:
                self._owners[declaration.provider, selector] = (owner, declaration)

    def of(self, owner: str) -> tuple[Declaration, ...]:
        """The owner's sources, in the order in which they were declared."""
        return self._declared.get(owner, ())

    def check_free(self, owner: str, declarations: Iterable[Declaration]) -> None:
        """Returns if no other owner has declared any of these selectors.

        Raises:
            SourceTaken: another has; the message says who, so only operators may declare sources.
        """
        for declaration in declarations:
            for selector in declaration.selectors:
                taken = self._owners.get((declaration.provider, selector))
                if taken is not None and taken[0] != owner:
                    where = "among the ignored sources" if taken[0] == IGNORED else f"by tenant {taken[0]!r}"
                    raise SourceTaken(declaration.provider, selector.kind, selector.value, where)

    def resolve(self, provider: str, selectors: Sequence[Selector]) -> str | None:
        """The tenant whose event this is, `IGNORED`, or None if nobody has declared such a source.

        Args:
            provider: the source's name.
            selectors: what the event says about where it comes from, strongest first.

        Raises:
            DecodeError: with `conflicting_source`, if a weaker selector fits a declaration whose stronger selector does not, as a
                realm of the declared name with another id.
        """
        for place, selector in enumerate(selectors):
            found = self._owners.get((provider, selector))
            if found is None:
                continue
            owner, declaration = found
            declared = {stronger for stronger, _ in declaration.selectors} if place else ()
            for kind, value in selectors[:place]:
                if kind in declared:
                    raise DecodeError(
                        Reason.CONFLICTING_SOURCE,
                        f"the event's {selector.kind} {selector.value!r} is declared, but with another {kind} than {value!r}; "
                        "declare that one, or find out who sends it",
                    )
            return owner
        return None


def declaration(value: Mapping[str, str]) -> Declaration:
    """The declaration of a JSON object `{"provider": …, SELECTOR: …}`; `as_json` is its inverse."""
    selectors = tuple(Selector(kind, text) for kind, text in value.items() if kind != "provider")
    return Declaration(value["provider"], selectors)


def as_json(value: Declaration) -> dict[str, str]:
    """The declaration as a JSON object."""
    return {"provider": value.provider, **{selector.kind: selector.value for selector in value.selectors}}
