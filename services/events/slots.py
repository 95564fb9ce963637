"""Slots: how many long answers a tenant may have under way, so that nobody can take all of a node's memory and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from services.errors import TooMany
from streams.scope import TenantScope


class Slots:
    """Counts what is under way on this node, per tenant and in all."""

    def __init__(self, what: str, *, per_tenant: int, in_all: int) -> None:
        """`what` is their name in the refusal, as `live tails`."""
        self._what = what
        self._per_tenant = per_tenant
        self._in_all = in_all
        self._taken: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        """How many are taken, by all tenants."""
        return self._taken.total()

    def take(self, scope: TenantScope) -> AbstractContextManager[None]:
        """A slot of the tenant, taken now, and given back when the context is left.

        Raises:
            TooMany: none is free.
        """
        if self._taken[scope.tenant] >= self._per_tenant:
            raise TooMany(
                f"tenant {scope.tenant!r} has {self._per_tenant} {self._what} under way here already; end one, or wait for one to end"
            )
        if self.taken >= self._in_all:
            raise TooMany(f"this node has {self._in_all} {self._what} under way already; try again later")
        self._taken[scope.tenant] += 1
        return self._held(scope.tenant)

    @contextmanager
    def _held(self, tenant: str) -> Iterator[None]:
        try:
            yield
        finally:
            self._taken[tenant] -= 1
            if not self._taken[tenant]:
                del self._taken[tenant]
