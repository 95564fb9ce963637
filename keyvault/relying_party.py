"""A relying party of a tenant: an application that verifies the tenant's tokens by its JWKS."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from keyvault.caching import LIBRARIES, Caching


class RelyingParty(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """As it is registered. Part of control events, so fields may be added with a default, never removed, renamed or changed in meaning.

    Attributes:
        id: names it in paths; a DNS label (RFC 1123).
        name: what people call it.
        contact: whom to ask when it breaks, as an e-mail address; or None.
        library: by which it fetches the JWKS, a name of `keyvault.caching.LIBRARIES`; or None.
        cached_for: how long it keeps a JWKS (milliseconds), whatever its library does by default; None: what the library does.
        own_url: whether it fetches its JWKS at a URL of its own, so that its fetches are known.
        webhook: where it wants to be told of its tenant's keys, or None.
    """

    id: str
    name: str
    contact: str | None = None
    library: str | None = None
    cached_for: int | None = None
    own_url: bool = False
    webhook: str | None = None

    @property
    def caching(self) -> Caching | None:
        """How it keeps a JWKS; None if it said neither its library nor how long."""
        known = LIBRARIES.get(self.library) if self.library is not None else None
        if self.cached_for is None:
            return known.caching if known is not None else None
        if known is None:
            return Caching(lifetime=self.cached_for, refetches=False)
        return replace(known.caching, lifetime=self.cached_for)

    @property
    def refetches(self) -> bool:
        """Whether it is known to fetch the JWKS again when a token names a key that it does not have; who says nothing may not."""
        return self.caching is not None and self.caching.refetches
