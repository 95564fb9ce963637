"""Key events: the facts that a key ring is folded from.

They are stored as data of the control log, so they outlive the code: fields may be added with a default, never removed, renamed or
given another meaning. All times are epoch milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from keyvault.algorithms import Algorithm
from keyvault.errors import BrokenHistory
from keyvault.jwk import PublicJwk
from keyvault.orders import Order
from keyvault.policy import Policy
from keyvault.relying_party import RelyingParty


class _Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """What they have in common.

    Attributes:
        at: when it happened; never before the ring's last event.
    """

    at: int


class KeyPrepared(_Event, frozen=True, kw_only=True, tag="key_prepared"):
    """A key was created and is published from `at` on, as the standby.

    Attributes:
        ordinal: with tenant and algorithm it makes the key's name in the store.
        jwk: so that every past JWKS can be told from the log alone.
        emergency: nobody may have cached it: after a compromise it takes over sooner, as an unknown `kid` makes clients refetch.
    """

    kid: str
    ordinal: int
    algorithm: Algorithm
    jwk: PublicJwk
    emergency: bool = False


class KeyActivated(_Event, frozen=True, kw_only=True, tag="key_activated"):
    """The standby signs from `at` on.

    Attributes:
        token_lifetime: the longest that its tokens may live, by the policy of then.
        forced: why it was activated before it was due, or None.
        wave: the wave that asked for it, or None.
    """

    kid: str
    token_lifetime: int
    forced: str | None = None
    wave: str | None = None


class KeyDeactivated(_Event, frozen=True, kw_only=True, tag="key_deactivated"):
    """The key signs no more. A standby that never signed is withdrawn with this, too: then `publish_until` is `at`.

    Only an imported one stays published for its tokens from elsewhere.

    Attributes:
        publish_until: when its last token has expired everywhere.
    """

    kid: str
    publish_until: int


class KeyCompromised(_Event, frozen=True, kw_only=True, tag="key_compromised"):
    """The key is not to be trusted any more, and is published no more, from `at` on."""

    kid: str
    reason: str


class KeyDestroyed(_Event, frozen=True, kw_only=True, tag="key_destroyed"):
    """The key store has destroyed the private half."""

    kid: str


class KeyImported(_Event, frozen=True, kw_only=True, tag="key_imported"):
    """A key that was made elsewhere is published from `at` on, so that its tokens verify. It does not sign here.

    It may come again for the same key, though that may sign here by now: `publish_until` is put off, never brought forward.

    Attributes:
        jwk: with the `kid` that it had.
        publish_until: when its last token has expired everywhere, as far as whoever imported it knows.
        private: its private half is about to be put into the key store, which may have it from now on.
    """

    kid: str
    algorithm: Algorithm
    jwk: PublicJwk
    publish_until: int
    private: bool = False


class KeyAdopted(_Event, frozen=True, kw_only=True, tag="key_adopted"):
    """The key store has the private half of an imported key, which is the standby from `at` on. Again: somebody knows more.

    Attributes:
        known_since: since when relying parties could have fetched it elsewhere, as whoever imported it says, or None.
    """

    kid: str
    known_since: int | None = None


class KeyDiscarded(_Event, frozen=True, kw_only=True, tag="key_discarded"):
    """The key store holds nothing under this name, which the ring never used and never will (see `keyvault.leftover`).

    Attributes:
        ordinal: with tenant and algorithm it makes the name in the store.
    """

    ordinal: int
    algorithm: Algorithm


class PolicyChanged(_Event, frozen=True, kw_only=True, tag="policy_changed"):
    """Another policy holds from `at` on. Its durations are stored in milliseconds."""

    policy: Policy


class RelyingPartyRegistered(_Event, frozen=True, kw_only=True, tag="relying_party_registered"):
    """From `at` on the ring is published for this relying party, too; one with the same id was changed."""

    relying_party: RelyingParty


class RelyingPartyRemoved(_Event, frozen=True, kw_only=True, tag="relying_party_removed"):
    """Nobody waits for this relying party any more."""

    id: str


class JwksFetched(_Event, frozen=True, kw_only=True, tag="jwks_fetched"):
    """A relying party fetched a JWKS with the standby from its own URL, for the first time since it is published.

    Attributes:
        relying_party: its id.
    """

    relying_party: str
    kid: str


class ApprovalRequested(_Event, frozen=True, kw_only=True, tag="approval_requested"):
    """Somebody asked for what takes a second person. Nothing has been done.

    Attributes:
        order: what is carried out once the approval is given.
        asked_by: the principal that asked.
        until: from when on it can't be given any more.
    """

    id: str
    order: Order
    asked_by: str
    until: int


class ApprovalGiven(_Event, frozen=True, kw_only=True, tag="approval_given"):
    """A second person has agreed. What the order came to are the events after this one, appended with it."""

    id: str
    given_by: str


class ApprovalWithdrawn(_Event, frozen=True, kw_only=True, tag="approval_withdrawn"):
    """The approval can't be given any more: somebody did not want it, or the ring had changed so that it made no sense.

    Attributes:
        withdrawn_by: the principal that withdrew it, or that found it to make no sense.
        reason: why, if somebody said so.
    """

    id: str
    withdrawn_by: str
    reason: str | None = None


KeyEvent = (
    KeyPrepared
    | KeyActivated
    | KeyDeactivated
    | KeyCompromised
    | KeyDestroyed
    | KeyImported
    | KeyAdopted
    | KeyDiscarded
    | PolicyChanged
    | RelyingPartyRegistered
    | RelyingPartyRemoved
    | JwksFetched
    | ApprovalRequested
    | ApprovalGiven
    | ApprovalWithdrawn
)

TYPES = (
    "key_prepared",
    "key_activated",
    "key_deactivated",
    "key_compromised",
    "key_destroyed",
    "key_imported",
    "key_adopted",
    "key_discarded",
    "policy_changed",
    "relying_party_registered",
    "relying_party_removed",
    "jwks_fetched",
    "approval_requested",
    "approval_given",
    "approval_withdrawn",
)


def encode(event: KeyEvent) -> dict[str, Any]:
    """The event as plain JSON values; its name is under `type`."""
    encoded: dict[str, Any] = msgspec.to_builtins(event)
    return encoded


def decode(data: Mapping[str, Any]) -> KeyEvent:
    """Reads what `encode` made, also by a newer version: unknown fields are left out.

    Raises:
        BrokenHistory: it is of an unknown type, or lacks something.
    """
    if (kind := data.get("type")) not in TYPES:
        raise BrokenHistory(f"{kind!r} is not a key event that this version knows; run the version that wrote it, or a newer one")
    try:
        event: KeyEvent = msgspec.convert(data, KeyEvent)
    except msgspec.ValidationError as error:
        raise BrokenHistory(f"this {kind} event can't be read: {error}") from error
    return event
