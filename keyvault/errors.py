"""What can go wrong with keys.

KeyVaultError
├── KeyStoreError
│   ├── KeyStoreUnavailable       the store can't answer now (sealed, away, disk full); try again later
│   │   └── KeyStoreDown          and so it is for every key: it is sealed, away or hanging
│   ├── KeyStoreConflict          the store holds something else under this name, or what it holds was altered
│   ├── KeyNotFound               the store has no such key
│   │   └── KeyDestroyed          it had one, which was destroyed; its name can't be used again
│   └── MasterKeyError            the master key is missing, wrong, malformed, or readable by others
├── RingError
│   ├── UnknownKid                the ring has no key with this kid
│   ├── NoActiveKey               nothing can be signed now: the active key was compromised and has no successor yet
│   ├── WrongState                the key's state does not allow this
│   ├── NotYetDue                 the key may do this later, or now with a reason
│   ├── ReasonMissing             what was asked for takes a reason
│   ├── TooManyPublishedKeys      one more key would exceed the policy's max_published_keys
│   ├── UnknownApproval           nobody has asked for an approval with this id
│   ├── ApprovalClosed            the approval was given or withdrawn, has expired, or makes no sense any more
│   ├── SecondPersonNeeded        whoever asked can't approve it as well
│   ├── TooManyApprovals          one person asks for more than anybody can look at
│   └── BrokenHistory             a key event that can't follow the events before it, or is of an unknown type
├── InvalidPolicy                 a rotation policy that would break relying parties, or makes no sense
│   └── InvalidDuration           text that is no ISO 8601 duration of weeks, days, hours, minutes and seconds
├── InvalidWave                   a wave of rotations that can't be planned: its rate, its jitter, or whom it is for
├── InvalidJwk                    a JWK that is malformed, weak, or private
│   └── UnsupportedJwk            a JWK that may be fine, but is not for verifying signatures of the supported algorithms
├── InvalidJwks                   a document that is no JWK set
├── InvalidImport                 a key from elsewhere that can't be imported; says which, and never shows it
├── InvalidClaims                 claims that this service does not sign; names the claim
└── InvalidToken                  a token that does not verify; carries the reason

Each message says what happened, to what, and what to do. HTTP appears only in `services.api`.
"""

from __future__ import annotations

from enum import StrEnum

from streams.event import iso


class KeyVaultError(Exception):
    """The root of all errors of `keyvault`."""


class KeyStoreError(KeyVaultError):
    """The root of the errors of a key store."""


class KeyStoreUnavailable(KeyStoreError):
    """The key store can't answer now. Every call may be repeated later.

    Attributes:
        retry_after: seconds after which it makes sense to repeat it, or None if nobody can say.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class KeyStoreDown(KeyStoreUnavailable):
    """The key store can't answer now, whichever key it is asked about: it is sealed, away or hanging."""


class KeyStoreConflict(KeyStoreError):
    """The store holds something else under this name, or what it holds was altered."""


class KeyNotFound(KeyStoreError):
    """The store has no such key."""


class KeyDestroyed(KeyNotFound):
    """The key was destroyed; create one with another ordinal."""

    def __init__(self, name: object) -> None:
        super().__init__(f"key {name} was destroyed and can't come back; create one with another ordinal")


class MasterKeyError(KeyStoreError):
    """The master key is missing, wrong, malformed, or readable by others."""


class RingError(KeyVaultError):
    """The root of what a key ring can't do."""


class UnknownKid(RingError):
    """The ring has no such key."""

    def __init__(self, kid: str) -> None:
        super().__init__(f"this key ring has no key with kid {kid!r}")
        self.kid = kid


class NoActiveKey(RingError):
    """Nothing can be signed now."""

    def __init__(self) -> None:
        super().__init__("this key ring has no active key now; one becomes active as soon as the key store answers, so try again later")


class WrongState(RingError):
    """The key's state does not allow this."""

    def __init__(self, kid: str, state: str, what: str, hint: str) -> None:
        super().__init__(f"key {kid!r} is {state} and can't be {what}; {hint}")
        self.kid = kid
        self.state = state


class NotYetDue(RingError):
    """The key may do this later.

    Attributes:
        at: from when on, in epoch milliseconds.
    """

    def __init__(self, kid: str, what: str, at: int, hint: str) -> None:
        super().__init__(f"key {kid!r} can't be {what} yet; {hint}")
        self.kid = kid
        self.at = at


class ReasonMissing(RingError):
    """What was asked for takes a reason."""

    def __init__(self, what: str, problem: str = "takes a reason") -> None:
        super().__init__(f"{what} {problem}: say in 1 to 1000 characters why, for those who read the log later")


class TooManyPublishedKeys(RingError):
    """One more key would exceed the policy's `max_published_keys`.

    Attributes:
        until: when there is room again by itself, in epoch milliseconds, or None.
    """

    def __init__(self, published: int, limit: int, until: int | None, *, more: int = 1) -> None:
        many = f", {more} more are asked for," if more > 1 else ""
        left = f"the next leaves at {iso(until)}, with its last token: wait, or" if until is not None else "none leaves by itself:"
        super().__init__(f"{published} keys are published{many} and max_published_keys is {limit}; {left} raise the limit")
        self.until = until


class UnknownApproval(RingError):
    """Nobody has asked for an approval with this id, or it is long over."""


class ApprovalClosed(RingError):
    """The approval can't be given or withdrawn any more."""


class SecondPersonNeeded(RingError):
    """Whoever asked for something can't approve it as well."""


class TooManyApprovals(RingError):
    """One principal asks for more than anybody can look at."""


class BrokenHistory(RingError):
    """A key event that can't follow the events before it, or that this version does not know."""


class InvalidPolicy(KeyVaultError):
    """A rotation policy that would break relying parties, or makes no sense.

    Attributes:
        problems: all of them, each naming the settings it is about.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class InvalidDuration(InvalidPolicy):
    """Text that is no ISO 8601 duration."""

    def __init__(self, text: object) -> None:
        super().__init__(f"{text!r} is not a duration: write it like PT1S, PT5M, PT25H, P90D or P1DT12H (no months or years: they vary)")


class InvalidWave(KeyVaultError):
    """A wave of rotations that can't be planned."""


class InvalidJwk(KeyVaultError):
    """A JWK that is malformed, weak, or private."""


class UnsupportedJwk(InvalidJwk):
    """A JWK that may be fine, but is not for verifying signatures of the supported algorithms."""


class InvalidJwks(KeyVaultError):
    """A document that is no JWK set (RFC 7517 section 5)."""


class InvalidImport(KeyVaultError):
    """A key from elsewhere that can't be imported. The message never holds any of it but its `kid`."""


class InvalidClaims(KeyVaultError):
    """Claims that this service does not sign.

    Attributes:
        claim: the name of the claim, or None when it is about all of them.
        problem: what is wrong, in words that follow the claim's name.
        index: whose claims of a batch they are, counted from 0; None if there is no batch.
    """

    def __init__(self, claim: str | None, problem: str, *, index: int | None = None) -> None:
        whose = f"batch[{index}]: " if index is not None else ""
        super().__init__(f"{whose}claim {claim!r} {problem}" if claim is not None else f"{whose}the claims {problem}")
        self.claim = claim
        self.problem = problem
        self.index = index


class TokenProblem(StrEnum):
    """Why a token does not verify."""

    MALFORMED = "malformed"
    ALGORITHM = "algorithm"
    CRITICAL = "critical"
    KID_MISSING = "kid_missing"
    KID_UNKNOWN = "kid_unknown"
    SIGNATURE = "signature"
    CLAIMS = "claims"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    ISSUED_IN_FUTURE = "issued_in_future"
    ISSUER = "issuer"
    AUDIENCE = "audience"


class InvalidToken(KeyVaultError):
    """A token that does not verify.

    Attributes:
        problem: the reason, for programs; the message is for people and never repeats the token.
    """

    def __init__(self, problem: TokenProblem, message: str) -> None:
        super().__init__(message)
        self.problem = problem
