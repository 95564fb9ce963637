"""What operators are told of all tenants' keys, in numbers."""

from __future__ import annotations

from collections.abc import Callable

from dashboards.metrics import TENANTS, WITHOUT_ACTIVE_KEY, WITHOUT_PUBLISHED_KEY
from keyvault.ring import Ring
from services.keys.rings import Rings
from services.tenants.tenant import Tenants


def watch_keys(tenants: Tenants, rings: Rings, now: Callable[[], int]) -> None:
    """Lets the metrics count, whenever they are asked for: who has no active key, and whose JWKS is empty.

    An active key is published, so only those without one are looked at: they are few, or none, and are noted when their ring changes.
    """
    without: set[str] = set()

    def look(tenant: str) -> None:
        (without.add if rings.of(tenant).active is None else without.discard)(tenant)

    def without_active() -> list[Ring]:
        return [rings.of(tenant) for tenant in without if tenants.exists(tenant)]

    rings.on_change(look)
    for tenant in tenants.all():
        look(tenant.id)
    TENANTS.set_function(lambda: len(tenants.all()))
    WITHOUT_ACTIVE_KEY.set_function(lambda: len(without_active()))
    WITHOUT_PUBLISHED_KEY.set_function(lambda: sum(not ring.published(now()) for ring in without_active()))
