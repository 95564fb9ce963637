"""A key of a key ring: its state and its times."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from keyvault.algorithms import Algorithm
from keyvault.jwk import PublicJwk


class KeyState(StrEnum):
    """The states of NIST SP 800-57 part 1, section 7."""

    PRE_ACTIVATION = "pre-activation"
    """Published, not yet signing: the standby."""
    ACTIVE = "active"
    """Published and signing."""
    DEACTIVATED = "deactivated"
    """Not signing any more; published until its last token has expired."""
    COMPROMISED = "compromised"
    """Not to be trusted, so not published."""
    DESTROYED = "destroyed"
    """Gone from the key store, and not published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key of a ring. Times are epoch milliseconds, None when it has not happened (yet).

    Attributes:
        ordinal: its number in the ring; grows, may have gaps. 0: it was made elsewhere, and imported.
        published_at: since when it is in the JWKS; of an imported key that had left it, since it came back.
        emergency: it was made to take over after a compromise.
        forced: why it was activated before it was due, or None.
        token_lifetime: the longest token lifetime (ms) allowed while it was active; 0 if it never was.
        publish_until: for a deactivated key, when it leaves the JWKS.
        compromise_reason: what the one who reported it said.
        stored: the key store has its private half, or may have. Not so for an imported key of which only the public half came.
        known_since: since when relying parties could have fetched an imported key elsewhere, or None.
        foreign_until: until when tokens that were signed with it elsewhere may be valid; 0: nobody said that there are any.
    """

    kid: str
    ordinal: int
    algorithm: Algorithm
    jwk: PublicJwk
    state: KeyState
    published_at: int
    emergency: bool = False
    activated_at: int | None = None
    forced: str | None = None
    token_lifetime: int = 0
    deactivated_at: int | None = None
    publish_until: int | None = None
    compromised_at: int | None = None
    compromise_reason: str | None = None
    destroyed_at: int | None = None
    stored: bool = True
    known_since: int | None = None
    foreign_until: int = 0

    @property
    def imported(self) -> bool:
        """Whether it was made elsewhere."""
        return self.ordinal == 0

    def published(self, now: int) -> bool:
        """Whether the JWKS shows it."""
        if self.state is KeyState.DEACTIVATED:
            # A standby that was withdrawn left at once, even for a node whose clock is behind.
            until, since = self.publish_until, self.deactivated_at
            return until is not None and since is not None and since < until and now < until
        return self.state in {KeyState.PRE_ACTIVATION, KeyState.ACTIVE}
