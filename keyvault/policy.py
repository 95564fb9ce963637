"""The rotation policy of a tenant's key ring."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self

import msgspec

from keyvault.algorithms import Algorithm
from keyvault.durations import DAY, HOUR, MINUTE, SECOND, parse_duration, render_duration
from keyvault.errors import InvalidDuration, InvalidPolicy

_DURATIONS = (
    "rotation_period",
    "publish_ahead",
    "max_token_lifetime",
    "clock_skew",
    "jwks_max_age",
    "readiness_limit",
    "approval_window",
)
_FROM_ZERO = ("clock_skew", "readiness_limit")
_LONGEST = 3650 * DAY
_LONGEST_CACHED = 1 * DAY  # whoever caches a JWKS for longer would not hear of a compromised key
_LONGEST_ASKED = 7 * DAY  # by then nobody remembers what was asked, and the ring is another one
_MOST = {"jwks_max_age": _LONGEST_CACHED, "approval_window": _LONGEST_ASKED}
_WAITS = ("publish_ahead", "readiness_limit", "jwks_max_age", "clock_skew")
"""What a standby waits for: see `keyvault.readiness.safe_at`."""
_FEWEST_PUBLISHED, _MOST_PUBLISHED = 2, 20


class Guard(StrEnum):
    """What a policy can put under dual control: it is done only when a second person approves."""

    COMPROMISE = "compromise"
    """Reporting a key as compromised, which refuses every token that it signed."""
    DESTROY = "destroy"
    """Destroying a key in the key store."""
    FORCE = "force"
    """Letting a key sign before the relying parties have it."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How keys are made, and when they change. All durations are milliseconds; at the edge they are ISO 8601 text.

    The struct itself takes anything, since old events must stay readable; `check` and `parse` are what refuses.

    Attributes:
        algorithm: of the keys made from now on.
        rotation_period: how long a key is active.
        publish_ahead: how long a key is published before it signs; longer than relying parties keep a JWKS.
        max_token_lifetime: the longest that a token may be valid after it was signed.
        clock_skew: by how much clocks (of nodes, IDPs and relying parties) may differ.
        jwks_max_age: what the JWKS is served with as `Cache-Control: max-age`.
        max_published_keys: some clients stop working with more than five.
        readiness_limit: how much longer than `publish_ahead` an activation waits for relying parties that may not have the key yet.
        dual_control: what takes a second person's approval, see `keyvault.dual_control`; by their names' order, each once.
        approval_window: for how long such an approval can be given after it was asked for.
    """

    algorithm: Algorithm = Algorithm.RS256
    rotation_period: int = 90 * DAY
    publish_ahead: int = 25 * HOUR
    max_token_lifetime: int = 1 * HOUR
    clock_skew: int = 5 * MINUTE
    jwks_max_age: int = 300 * SECOND
    max_published_keys: int = 5
    readiness_limit: int = 7 * DAY
    dual_control: tuple[Guard, ...] = ()
    approval_window: int = 1 * HOUR

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Self:
        """Reads a policy as the API has it (durations from `PT1S` on); what is left out takes its default.

        Raises:
            InvalidPolicy: with all the problems found.
        """
        values: dict[str, Any] = {}
        problems: list[str] = []
        for name, value in data.items():
            if name not in cls.__struct_fields__:
                problems.append(f"unknown setting {name!r}; there are {', '.join(cls.__struct_fields__)}")
            elif name in _DURATIONS:
                try:
                    values[name] = parse_duration(value)
                except InvalidDuration as error:
                    problems.append(f"{name}: {error}")
            elif name == "algorithm":
                if isinstance(value, str) and value in set(Algorithm):
                    values[name] = Algorithm(value)
                else:
                    problems.append(f"algorithm {value!r} is not supported; supported are {', '.join(Algorithm)}")
            elif name == "dual_control":
                values[name] = _guards(value, problems)
            elif isinstance(value, bool) or not isinstance(value, int):
                problems.append(f"{name} is a whole number, not {value!r}")
            else:
                values[name] = value
        policy = cls(**values)
        problems += policy.problems() if not problems else []
        if problems:
            raise InvalidPolicy(*problems)
        return policy

    def render(self) -> dict[str, Any]:
        """The policy as the API has it: what `parse` reads."""
        values = msgspec.structs.asdict(self)
        rendered = {name: render_duration(value) if name in _DURATIONS else value for name, value in values.items()}
        return {**rendered, "dual_control": [guard.value for guard in self.dual_control]}

    @property
    def cached(self) -> int:
        """For how long HTTP caches may hold a JWKS after it was served (ms): `jwks_max_age`, by clocks that may be off by `clock_skew`."""
        return self.jwks_max_age + self.clock_skew

    @property
    def margin(self) -> int:
        """What `publish_ahead` leaves after that (ms), for what clients keep themselves."""
        return self.publish_ahead - self.cached

    def kept(self, token_lifetime: int) -> int:
        """How long a key stays published after it was deactivated (ms): until the last token that it signed has expired everywhere.

        `clock_skew` counts twice, for two clocks that may both be wrong. The node that deactivates the key may be behind the one that
        signs its last token, which then expires so much later than `token_lifetime` after the deactivation; and whoever judges that
        token may be behind the node that publishes the JWKS, and take it for valid for so much longer.
        """
        return token_lifetime + 2 * self.clock_skew

    def problems(self) -> list[str]:
        """What is wrong with it, judged as a whole: nothing, for a policy that keeps every token verifiable."""
        found = []
        for name in _DURATIONS:
            value, least = getattr(self, name), 0 if name in _FROM_ZERO else SECOND
            most = _MOST.get(name, _LONGEST)
            if not least <= value <= most:
                found.append(f"{name} must be between {render_duration(least)} and {render_duration(most)}")
        if not _FEWEST_PUBLISHED <= self.max_published_keys <= _MOST_PUBLISHED:
            found.append(f"max_published_keys must be between {_FEWEST_PUBLISHED} (active and standby) and {_MOST_PUBLISHED}")
        if found:
            return found
        if self.margin <= 0:
            found.append(
                f"publish_ahead must exceed jwks_max_age plus clock_skew ({render_duration(self.cached)}), "
                "or a new key signs while relying parties still have the old JWKS"
            )
        if self.rotation_period <= self.publish_ahead:
            found.append(
                f"rotation_period must exceed publish_ahead ({render_duration(self.publish_ahead)}), "
                "or the next key can't be published long enough before its turn"
            )
        return found

    def warnings(self) -> list[str]:
        """What is safe, but will not go as the settings say; for whoever sets the policy."""
        found = []
        if (fewest := self._fewest_keys()) > self.max_published_keys:
            found.append(
                "rotation_period will not be kept: old keys stay published for max_token_lifetime plus twice clock_skew, so with these "
                f"durations {fewest} keys would have to be published at once, but max_published_keys is {self.max_published_keys}; "
                "rotations wait"
            )
        if Guard.COMPROMISE in self.dual_control:
            found.append(
                "dual_control has compromise: a key that has leaked stays in the JWKS, and signs, until a second person approves; see that "
                "two people with keys:revoke can be reached at any hour"
            )
        return found

    def weakened_by(self, other: Policy) -> bool:
        """Whether the other policy, in place of this one, would let one person do what takes two now.

        That is: less is under dual control; an approval can be given for longer, or for so short a time that nobody can; or, while forcing
        takes two, a standby waits for less.
        """
        if not self.dual_control:
            return False
        return (
            not set(self.dual_control) <= set(other.dual_control)
            or self.approval_window != other.approval_window
            or (Guard.FORCE in self.dual_control and any(getattr(other, name) < getattr(self, name) for name in _WAITS))
        )

    def _fewest_keys(self) -> int:
        """How many published keys keep the rhythm.

        A standby must be published `publish_ahead` before its turn, beside the active key and those deactivated less than
        `kept` ago: ceil((publish_ahead + kept) / rotation_period) - 1 of them.
        """
        kept = self.kept(self.max_token_lifetime)
        return 1 - (-(self.publish_ahead + kept) // self.rotation_period)


def _guards(value: object, problems: list[str]) -> tuple[Guard, ...]:
    known = set(Guard)
    if not isinstance(value, list) or not all(isinstance(one, str) and one in known for one in value):
        problems.append(f"dual_control is a list of any of {', '.join(Guard)}, and not {value!r}")
        return ()
    return tuple(sorted({Guard(one) for one in value}))
