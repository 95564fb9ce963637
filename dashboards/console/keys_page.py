"""The key ring: each key's state and times in words, and what a rotation would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from dashboards.console.approvals import ApprovalView, dual_control_words
from dashboards.console.key_history import History
from dashboards.console.key_phases import turn
from dashboards.console.published_jwks import PublishedJwks
from dashboards.console.ring_timeline import Timeline, timeline
from dashboards.console.rotation import Rotation, rotation
from dashboards.console.standby_readiness import StandbyReadiness, standby_readiness
from dashboards.console.times import age, utc, words
from keyvault.due import outdated
from keyvault.key import Key, KeyState
from keyvault.policy import Policy
from keyvault.policy_warnings import warnings
from keyvault.readiness import safe_at
from keyvault.ring import Ring

_NAMES: Final = {
    KeyState.PRE_ACTIVATION: "standby",
    KeyState.ACTIVE: "signing",
    KeyState.DEACTIVATED: "retiring",
    KeyState.COMPROMISED: "compromised",
    KeyState.DESTROYED: "destroyed",
}
"""What people call the states of NIST SP 800-57."""


@dataclass(frozen=True, slots=True)
class KeyView:
    """A key.

    Attributes:
        name: its state as people call it.
        state: as the API calls it.
        meaning: what that state means, in a sentence with its times.
        times: what happened when, or will: the name and epoch milliseconds.
        published: whether the JWKS shows it.
    """

    kid: str
    ordinal: int
    algorithm: str
    name: str
    state: str
    meaning: str
    times: tuple[tuple[str, int], ...]
    published: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysPage:
    """The key ring.

    Attributes:
        warnings: what the policy can't keep, and whom it may break.
        rotation: what the button would do; None for those who may not press it.
        timeline: the keys over time; None if there are none.
        readiness: of the relying parties for the standby; None if there is none.
        jwks: what relying parties fetch; None if there is nothing yet.
        history: what happened last; None if the search index can't tell it now.
        approvals: what waits for a second person.
        notice: what has just been done, in paragraphs.
        trouble: why it was not done.
    """

    template: ClassVar[str] = "keys.html"
    tenant: str
    now: int
    issuer: str
    keys: tuple[KeyView, ...]
    published: int
    policy: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    rotation: Rotation | None
    timeline: Timeline | None
    readiness: StandbyReadiness | None
    jwks: PublishedJwks | None = None
    history: History | None = None
    approvals: tuple[ApprovalView, ...] = ()
    notice: tuple[str, ...] = ()
    trouble: str | None = None

    @property
    def title(self) -> str:
        """Of the page."""
        return "Keys"

    @classmethod
    def of(
        cls,
        tenant: str,
        ring: Ring,
        now: int,
        *,
        issuer: str,
        may_rotate: bool,
        jwks: PublishedJwks | None = None,
        history: History | None = None,
        approvals: tuple[ApprovalView, ...] = (),
        notice: tuple[str, ...] = (),
        trouble: str | None = None,
    ) -> KeysPage:
        """The page of a ring. Keys come in the order of their use: signing, standby, then the newest first."""
        order = sorted(
            ring.keys, key=lambda key: (key.state is not KeyState.ACTIVE, key.state is not KeyState.PRE_ACTIVATION, -key.ordinal)
        )
        return cls(
            tenant=tenant,
            now=now,
            issuer=issuer,
            keys=tuple(_view(key, ring, now) for key in order),
            published=len(ring.published(now)),
            policy=_policy(ring.policy),
            warnings=tuple(warnings(ring, ring.policy)),
            rotation=rotation(ring, now) if may_rotate else None,
            timeline=timeline(ring, now),
            readiness=standby_readiness(ring, now),
            jwks=jwks,
            history=history,
            approvals=approvals,
            notice=notice,
            trouble=trouble,
        )


def _view(key: Key, ring: Ring, now: int) -> KeyView:
    names = {
        "Published": key.published_at,
        "Signs since" if key.state is KeyState.ACTIVE else "Signed from": key.activated_at,
        "Takes over": turn(ring, now) if key.state is KeyState.PRE_ACTIVATION else None,
        "Stopped signing": key.deactivated_at,
        "Leaves the JWKS" if key.published(now) else "Left the JWKS": key.publish_until if key.state is KeyState.DEACTIVATED else None,
        "Compromised": key.compromised_at,
        "Destroyed": key.destroyed_at,
    }
    name = _NAMES[key.state]
    if key.state is KeyState.DEACTIVATED and not key.published(now):
        name = "retired"
    return KeyView(
        kid=key.kid,
        ordinal=key.ordinal,
        algorithm=key.algorithm.value,
        name=name,
        state=key.state.value,
        meaning=_meaning(key, ring, now),
        times=tuple((name, ms) for name, ms in names.items() if ms is not None),
        published=key.published(now),
    )


def _meaning(key: Key, ring: Ring, now: int) -> str:
    match key.state:
        case KeyState.ACTIVE:
            why = f" It was activated before its time: {key.forced}." if key.forced else ""
            return f"Signs every new token. Relying parties verify with it.{why}"
        case KeyState.PRE_ACTIVATION if outdated(ring, ring.policy):
            wanted = ring.policy.algorithm.value
            return f"Published already, and about to be replaced: the policy asks for {wanted} now, so it does not take over by itself."
        case KeyState.PRE_ACTIVATION:
            ready = safe_at(ring, ring.policy, key)
            can = f"It can take over from {utc(ready)} ({age(ready, now)}) on." if ready > now else "It is ready to take over at any time."
            return f"Published already, so that relying parties know it before it signs. {can}"
        case KeyState.DEACTIVATED if key.imported and key.activated_at is None:
            why = "It is published, so that the tokens that it signed there verify." if key.published(now) else "It has left the JWKS."
            return f"Made elsewhere, and imported. It does not sign here. {why}"
        case KeyState.DEACTIVATED if key.published(now):
            return "Signs no more. It stays published until the last token that it signed has expired, so that those still verify."
        case KeyState.DEACTIVATED:
            return "Signs no more, and has left the JWKS: every token that it signed has expired."
        case KeyState.COMPROMISED:
            return f"Not to be trusted, so not published: tokens that it signed are refused. Reported with: {key.compromise_reason}"
        case KeyState.DESTROYED:
            return "Its private half is gone from the key store for good. It stands here for the record."


def _policy(policy: Policy) -> tuple[tuple[str, str], ...]:
    return (
        ("New keys", policy.algorithm.value),
        ("Signs for", words(policy.rotation_period)),
        ("Published ahead", words(policy.publish_ahead)),
        ("Tokens live for at most", words(policy.max_token_lifetime)),
        ("Clocks may differ by", words(policy.clock_skew)),
        ("The JWKS is cached for", words(policy.jwks_max_age)),
        ("Published keys at most", str(policy.max_published_keys)),
        ("Waits for relying parties for at most", words(policy.readiness_limit)),
        ("Takes a second person", dual_control_words(policy)),
    )
