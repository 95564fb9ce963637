"""For how long a JWKS could be cached by the policies before, and so until when caches may hold one of then: a part of the ring's fold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Self

from keyvault.key import Key
from keyvault.policy import Policy

_MOST_SPANS: Final = 20
"""Older ones are taken together: every question goes through them all."""
_FIRST_KEYS: Final = 2
"""One that signs, and a standby. Others of the same moment came after them, by a clock that was behind."""


@dataclass(frozen=True, slots=True)
class _Span:
    """A time in which a policy held that does not hold any more.

    Attributes:
        until: its end, epoch milliseconds; it began with the end of the one before it.
        cached: `Policy.cached` of then.
        margin: `Policy.margin` of then.
    """

    until: int
    cached: int
    margin: int


@dataclass(frozen=True, slots=True)
class MaxAges:
    """What the policies of before allowed caches. Immutable.

    A policy holds for what is fetched from then on. What was fetched before, caches keep for as long as they were told then, so to lower
    `jwks_max_age` changes nothing until that time is over.

    Attributes:
        spans: the times of other policies, the earliest first.
        first: the `kid`s of the keys that a new ring gets in one moment: no JWKS was ever without them.
    """

    spans: tuple[_Span, ...] = ()
    first: frozenset[str] = frozenset()

    def changed(self, before: Policy, policy: Policy, at: int, keys: tuple[Key, ...]) -> Self:
        """After another policy came at that time (epoch milliseconds), when the ring had these keys."""
        if not keys or (before.cached, before.margin) == (policy.cached, policy.margin):
            return self
        spans = (*self.spans, _Span(at, before.cached, before.margin))
        if len(spans) > _MOST_SPANS:  # as if the longest of both had held all the time: keys may wait for longer, never less
            first, second, *rest = spans
            both = _Span(second.until, max(first.cached, second.cached), max(first.margin, second.margin))
            spans = (both, *rest)
        if self.spans:
            return replace(self, spans=spans)
        since = min(key.published_at for key in keys)
        return replace(self, spans=spans, first=frozenset(key.kid for key in keys[:_FIRST_KEYS] if key.published_at == since))

    def lacked_until(self, published_at: int, policy: Policy, kid: str | None = None) -> int:
        """Until when a cache may hold a JWKS without this key, or a new one, that is published since then; `policy` is the one of now."""
        if kid in self.first:
            return published_at + policy.cached
        return self.cached_until(published_at, policy)

    def cached_until(self, time: int, policy: Policy) -> int:
        """Until when a cache may hold a JWKS that was fetched at `time` or before; `policy` is the one of now. Epoch milliseconds."""
        found, since = time + policy.cached, None
        for span in self.spans:
            if since is None or since <= time:
                found = max(found, min(time, span.until) + span.cached)
            since = span.until
        return found

    def margin(self, time: int, policy: Policy) -> int:
        """What `publish_ahead` left for the caches of clients at that time; `policy` is the one of now."""
        return next((span.margin for span in self.spans if time < span.until), policy.margin)
