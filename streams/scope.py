"""The right to touch one tenant's data, as a type."""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from streams.errors import InvalidTenantId

_TENANT_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


@lru_cache(maxsize=65_536)  # asked several times for each event
def check_tenant_id(tenant: str) -> str:
    """The text itself, if it can be a tenant id: a DNS label (RFC 1123), so it is also safe in a path and an index name.

    Raises:
        InvalidTenantId: it can't.
    """
    if not _TENANT_ID.fullmatch(tenant):
        raise InvalidTenantId(tenant)
    return tenant


class TenantScope(msgspec.Struct, frozen=True, gc=False):  # a key of many dicts for each batch: its hash must cost next to nothing
    """The right to touch the data of one tenant.

    Everything that reads or writes a tenant's data takes one. Only `services.access`, after it has authenticated the
    caller, and the processors, who read the tenant from the log, may make one: `tests/test_architecture.py` walks the
    code for others.
    """

    tenant: str

    def __post_init__(self) -> None:
        check_tenant_id(self.tenant)
