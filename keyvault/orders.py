"""Orders: what people ask of a key ring, in a form that can be kept until a second person approves it.

They are stored in the control log, so fields may be added with a default, never removed, renamed or given another meaning.
"""

from __future__ import annotations

import msgspec

from keyvault.policy import Policy


class _Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="command"):
    """What they have in common.

    Attributes:
        reason: why, in the words of whoever asks.
    """

    reason: str | None = None


class CompromiseKey(_Order, frozen=True, kw_only=True, tag="compromise"):
    """Take the key out of the JWKS at once."""

    kid: str


class DestroyKey(_Order, frozen=True, kw_only=True, tag="destroy"):
    """Destroy the key in the key store."""

    kid: str


class Rotate(_Order, frozen=True, kw_only=True, tag="rotate"):
    """Prepare the next key, or let it sign.

    Attributes:
        activate: do not wait until it is ready.
        instead_of: the `kid` that was active when this was asked for; once another one is, somebody else has rotated.
    """

    activate: bool = False
    instead_of: str | None = None


class ActivateKey(_Order, frozen=True, kw_only=True, tag="activate"):
    """Let this standby sign; before it is ready if there is a reason."""

    kid: str


class ChangePolicy(_Order, frozen=True, kw_only=True, tag="policy"):
    """Set another policy. In the log its durations are milliseconds."""

    policy: Policy


Order = CompromiseKey | DestroyKey | Rotate | ActivateKey | ChangePolicy


def same(one: Order, other: Order) -> bool:
    """Whether both ask for the same, for whatever reasons."""
    return msgspec.structs.replace(one, reason=None) == msgspec.structs.replace(other, reason=None)
