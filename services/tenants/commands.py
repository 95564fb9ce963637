"""What an operator does with a tenant: create, change, delete."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from services.access.principal import Principal
from services.errors import Conflict, Forbidden, Invalid
from services.tenants.sources import Sources, declare
from services.tenants.tenant import Isolation, Tenant, Tenants
from streams.control_log import ControlEvent, ControlLog
from streams.scope import TenantScope
from streams.source_map import Declaration


async def put(
    control: ControlLog,
    tenants: Tenants,
    sources: Sources,
    scope: TenantScope,
    *,
    display_name: str,
    issuer: str | None,
    issuer_base: str,
    isolation: Isolation | None = None,
    declarations: Sequence[Declaration] | None,
    by: Principal,
    now: int,
) -> bool:
    """Creates the tenant, or makes it be like this; True if it is new. Doing it again changes nothing.

    Args:
        control: the control log.
        tenants: the tenants' state.
        sources: the declared sources' state.
        scope: the tenant.
        display_name: what people call it.
        issuer: the `iss` of its tokens; None for the default under `issuer_base`.
        issuer_base: the public URL.
        isolation: whether it shares a search index; None leaves it as it is, and is `separate` for a new tenant.
        declarations: all its sources; None leaves them as they are.
        by: who asks. Anybody but an operator may change the display name only.
        now: epoch milliseconds.

    Raises:
        Forbidden: the sources or the issuer would change, and this is no operator.
        Conflict: a deleted tenant had this id.
        SourceTaken: another tenant has declared one of the sources.
    """
    found = tenants.find(scope.tenant)
    if not by.is_operator:
        if declarations is not None and tuple(declarations) != sources.map.of(scope.tenant):
            raise Forbidden("sources decide whose events are whose: only an operator can change them")
        if found is not None and isolation not in {None, found.isolation}:
            raise Forbidden("where its events are kept is the platform's matter: only an operator can change it")
        if found is not None and issuer != found.issuer:
            raise Forbidden("relying parties trust the issuer: only an operator can change it")
        declarations = None  # they are what is there already; and another owner's name, which a conflict tells, is for operators alone
    if declarations is not None:
        sources.map.check_free(scope.tenant, declarations)
    if issuer is not None and any(issuer_of(other, issuer_base) == issuer for other in tenants.all() if other.id != scope.tenant):
        raise Conflict(f"another tenant issues as {issuer!r}: relying parties could not tell their tokens apart; take another issuer")
    if found is not None and found.deleted_at is None and isolation not in {None, found.isolation}:
        raise Conflict(f"tenant {scope.tenant!r} is {found.isolation}, and moving it is not possible yet; leave `isolation` out")
    created = False

    async def decide() -> Sequence[ControlEvent]:
        nonlocal created
        created = False
        tenant = tenants.find(scope.tenant)
        data: dict[str, Any] = {"display_name": display_name, "issuer": issuer}
        if tenant is None:
            created = True
            if isolation is not None:
                data["isolation"] = isolation
            return [ControlEvent(type="tenant_created", at=now, by=by.id, data=data)]
        if tenant.deleted_at is not None:
            raise Conflict(f"a tenant {scope.tenant!r} was deleted, and its events are still in the log; take another id")
        if (tenant.display_name, tenant.issuer) == (display_name, issuer):
            return []
        return [ControlEvent(type="tenant_changed", at=now, by=by.id, data=data)]

    await control.commit(scope.tenant, decide)
    # A crash in between leaves a tenant without sources: its events are dead letters, and doing this again completes it.
    if declarations is not None:
        await declare(control, sources, scope.tenant, declarations, by.id, now)
    return created


async def delete(control: ControlLog, tenants: Tenants, scope: TenantScope, by: Principal, now: int) -> None:
    """Deletes the tenant: its tokens end, its sources are free, its JWKS goes. Its events stay in the log.

    One event does all of it, so that no crash and no race leaves a source with a tenant that is gone. What it has at the engines is taken
    away afterwards; see `services.tenants.forgetting`.
    """

    async def decide() -> Sequence[ControlEvent]:
        if not tenants.exists(scope.tenant):
            return []
        return [ControlEvent(type="tenant_deleted", at=now, by=by.id)]

    await control.commit(scope.tenant, decide)


_ISSUER: Final = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]+(?:/[A-Za-z0-9._~!$&'()*+,;=:@%/\-]*)?", re.ASCII)


def check_issuer(issuer: str) -> str:
    """The issuer itself, if it can be one (RFC 8414, section 2): an https URL without query and fragment.

    http is taken for this machine's own addresses, so that everything can be tried without certificates.

    Raises:
        Invalid: it can't.
    """
    if _ISSUER.fullmatch(issuer):
        try:
            parts = urlsplit(issuer)
            local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
            # Reading the port checks it.
            if (parts.scheme == "https" or local) and parts.hostname and parts.port != 0:
                return issuer
        except ValueError:
            pass
    raise Invalid(f"issuer must be an https URL of plain ASCII without user, query and fragment, not {issuer!r}")


def issuer_of(tenant: Tenant, issuer_base: str) -> str:
    """The `iss` of the tenant's tokens. Never from a request: whoever could set its Host could issue in another's name."""
    return tenant.issuer or f"{issuer_base}/t/{tenant.id}"
