"""The principal: who is asking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.access.scopes import Scope
from services.errors import Forbidden, NotFound
from streams.scope import TenantScope


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever holds a token.

    Attributes:
        id: `token:ID`, or `operator:ID` for an operator's token: what logs and control events call it.
        name: the token's name.
        tenant: the tenant it belongs to; None for an operator, who has all.
        scopes: what it may do.
        expires_at: when its token ends, in epoch milliseconds; None for never.
    """

    id: str
    name: str
    tenant: str | None
    scopes: frozenset[Scope]
    expires_at: int | None = None

    @property
    def is_operator(self) -> bool:
        """Whether it may do everything, on every tenant."""
        return Scope.PLATFORM_ADMIN in self.scopes

    def enter(self, tenant: str, scope: Scope, exists: Callable[[str], bool]) -> TenantScope:
        """The right to touch the tenant's data.

        Args:
            tenant: as the path says.
            scope: what is needed.
            exists: whether there is such a tenant.

        Raises:
            NotFound: another tenant's, or none: nobody learns which.
            Forbidden: the principal's own tenant, but not this scope.
        """
        if (self.tenant is not None and self.tenant != tenant) or not exists(tenant):
            raise NotFound(f"there is no tenant {tenant!r} that this token can see")
        if scope not in self.scopes:
            raise Forbidden(
                f"this needs a token with the scope {scope.value}; {self.name!r} has {', '.join(sorted(self.scopes)) or 'none'}"
            )
        return TenantScope(tenant)

    def require_operator(self) -> None:
        """Returns for operators.

        Raises:
            Forbidden: for everybody else.
        """
        if not self.is_operator:
            raise Forbidden("this needs an operator's token (scope platform:admin)")
