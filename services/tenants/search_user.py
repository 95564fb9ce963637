"""A tenant's own user at the search engine, on request: given, renewed and taken away, each in the control log first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.access.principal import Principal
from services.access.scopes import Scope
from services.errors import Conflict, Forbidden
from streams.control_log import ControlEvent, ControlLog
from streams.direct_access import DirectAccess
from streams.event import iso
from streams.scope import TenantScope


@dataclass(frozen=True, slots=True)
class SearchUser:
    """A tenant's user at the search engine, and the index that it may search."""

    index: str
    user: str
    password: str = field(repr=False)


async def grant(
    control: ControlLog, access: DirectAccess | None, scope: TenantScope, by: Principal, now: int, *, pooled: bool
) -> SearchUser:
    """The user; a password given before ends.

    Raises:
        Forbidden: it would read more, or for longer, than the token that asks.
        Conflict: the search engine of this installation has no users, or the tenant is pooled.
        IndexUnavailable: the engine can't be asked now.
    """
    _allow(by)
    engine = _there(access)
    if pooled:
        raise Conflict(f"tenant {scope.tenant!r} shares its index with others, whose events a user of its own would reach")
    # First the log: who could read a tenant's events must be on record, whatever crashes.
    await _record(control, scope, "search_user_granted", by, now)
    granted = await engine.grant(scope)
    assert granted is not None, "it has an index of its own"
    return SearchUser(engine.index_of(scope), *granted)


async def revoke(control: ControlLog, access: DirectAccess | None, scope: TenantScope, by: Principal, now: int) -> None:
    """Ends the user. Doing it again changes nothing but the log.

    Raises:
        Conflict: the search engine of this installation has no users.
        IndexUnavailable: the engine can't be asked now: the user may still be there.
    """
    await _there(access).revoke(scope)
    await _record(control, scope, "search_user_revoked", by, now)


def _allow(by: Principal) -> None:
    """As for tokens (`services.access.tokens`): nobody gives what they don't hold, and nothing that outlives them."""
    if Scope.EVENTS_READ not in by.scopes:
        raise Forbidden(f"a search user reads the tenant's events: ask with a token that has the scope {Scope.EVENTS_READ.value}, too")
    if by.expires_at is not None:
        raise Forbidden(
            f"a search user can't outlive the token that asks for it, which ends at {iso(by.expires_at)}: ask with one that stays"
        )


def _there(access: DirectAccess | None) -> DirectAccess:
    if access is None:
        raise Conflict("the embedded search engine has no users: search over the API, or set TENANTRY_INDEX_URL to an OpenSearch")
    return access


async def _record(control: ControlLog, scope: TenantScope, kind: str, by: Principal, now: int) -> None:
    async def decide() -> Sequence[ControlEvent]:
        return [ControlEvent(type=kind, at=now, by=by.id)]

    await control.commit(scope.tenant, decide)
