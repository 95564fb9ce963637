"""What the indexes and aliases of one prefix are called.

    PREFIX-t-<tenant>                       the tenant's alias: all that anybody reads through, and writes to an own index
    PREFIX-t-<tenant>_g<n>_<fingerprint>    a generation of the tenant's own index
    PREFIX-pool-<n>_g1_<fingerprint>        an index that pooled tenants share
    PREFIX-pool-<n>_g1_<fingerprint>_w<x>   its alias for writing; another one whenever a tenant leaves
    PREFIX-t-<tenant>-Reader                the tenant's own user, and the role that it has

A tenant id has no underscore, so no tenant's alias or pattern is another's; neither has a prefix, nor may `t` or `pool` be one of its
words, so no prefix's patterns hold another's indexes, even if it begins like it. The fingerprint is that of the mapping: an index of
another one counts as missing.

The security plugin lets everybody do everything to the index or alias that is called like themselves (its role `own_index`, unless somebody
has unmapped it). Indexes have no upper-case letters, nor have our aliases: so nothing is called like a tenant's user.
"""

from __future__ import annotations

import re
import secrets
import zlib
from dataclasses import dataclass

from streams.index_opensearch.schema import FINGERPRINT

_PREFIX = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?", re.ASCII)
_GENERATION = re.compile(r"_g(\d{1,9})_([0-9a-f]+)", re.ASCII)


def check_prefix(prefix: str) -> str:
    """The text itself, if it can be a prefix.

    Raises:
        ValueError: it can't.
    """
    if not _PREFIX.fullmatch(prefix) or {"t", "pool"} & set(prefix.split("-")):
        raise ValueError(
            f"{prefix[:80]!r} can't be the prefix of index names: use 1 to 64 lower-case letters, digits and hyphens, "
            "starting and ending with a letter or digit, and neither `t` nor `pool` as a word of it"
        )
    return prefix


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one prefix; `pools` is how many indexes the pooled tenants share."""

    prefix: str
    pools: int

    def alias(self, tenant: str) -> str:
        """The tenant's alias."""
        return f"{self.prefix}-t-{tenant}"

    def reader(self, tenant: str) -> str:
        """The tenant's own user, and its role."""
        return f"{self.alias(tenant)}-Reader"

    @property
    def everything(self) -> str:
        """All indexes, and all aliases: the patterns of both, as a path takes them. `PREFIX-*` would hold those of longer prefixes."""
        return f"{self.aliases},{self.every_pool}"

    @property
    def aliases(self) -> str:
        """The pattern of all tenants' aliases, which is that of their own indexes, too."""
        return f"{self.prefix}-t-*"

    def tenant_of(self, alias: str) -> str:
        """Whose alias it is."""
        return alias.removeprefix(f"{self.prefix}-t-")

    def own(self, tenant: str, generation: int) -> str:
        """A generation of the tenant's own index."""
        return f"{self.alias(tenant)}_g{generation}_{FINGERPRINT}"

    def generations(self, tenant: str) -> str:
        """The pattern of all generations of the tenant's own index."""
        return f"{self.alias(tenant)}_g*"

    def pool(self, number: int) -> str:
        """A shared index."""
        return f"{self.prefix}-pool-{number}_g1_{FINGERPRINT}"

    @staticmethod
    def writer(pool: str) -> str:
        """A new alias for writing to a shared index, which was never its alias before."""
        return f"{pool}_w{secrets.token_hex(8)}"

    @property
    def every_pool(self) -> str:
        """The pattern of all shared indexes."""
        return f"{self.prefix}-pool-*"

    def pool_of(self, tenant: str) -> str:
        """The shared index where a tenant begins."""
        return self.pool(zlib.crc32(tenant.encode()) % self.pools)

    def other_pool(self, tenant: str, present: str) -> str:
        """The shared index that a tenant moves to when it is rebuilt: never the one where it is."""
        first = zlib.crc32(tenant.encode())
        return next(name for step in range(2) if (name := self.pool((first + step) % self.pools)) != present)

    def pooled(self, index: str) -> bool:
        """Whether it is a shared index."""
        return index.startswith(f"{self.prefix}-pool-")


def usable(index: str) -> bool:
    """Whether this version can use the index."""
    found = _GENERATION.search(index)
    return found is not None and found[2] == FINGERPRINT


def generation_of(index: str) -> int:
    """The number of the generation; 0 if the name has none."""
    found = _GENERATION.search(index)
    return int(found[1]) if found else 0
