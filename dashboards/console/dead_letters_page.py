"""The dead letters by reason, with samples, and their replay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from dashboards.console.platform_frame import DEAD_LETTERS, letters_path, plural, size
from streams.dead_letters import Reason

_SENDER: Final = "What sends it sends something else than it should: mend that. A replay changes nothing for those that are here."
MEANS: Final[dict[str, tuple[str, str]]] = {
    Reason.NOT_JSON: ("They are no JSON.", _SENDER),
    Reason.NOT_AN_OBJECT: ("They are JSON, but no objects; every source sends objects.", _SENDER),
    Reason.TOO_LARGE: ("They are longer than one event may be.", _SENDER),
    Reason.TOO_DEEP: ("They are nested deeper than one event may be.", _SENDER),
    Reason.DUPLICATE_KEY: ("An object in them has the same key twice, so two readers could see two different events.", _SENDER),
    Reason.UNKNOWN_FORMAT: (
        "No source recognises them, or more than one does.",
        "Name the source where they are sent (source= of the API, --source of tenantry ingest), or mend what sends them.",
    ),
    Reason.KEYCLOAK_LOG_LINE: (
        "They are lines of Keycloak's server log, which name the administrator's realm instead of the tenant's.",
        "Have Keycloak send its events by a listener instead.",
    ),
    Reason.MISSING_FIELD: ("A field without which an event has no meaning, or no tenant, is not there.", _SENDER),
    Reason.WRONG_TYPE: ("A field has another type than its source documents.", _SENDER),
    Reason.UNKNOWN_TENANT_SOURCE: (
        "No tenant has declared the realm, organisation or application that they name.",
        "Declare it as a source of its tenant (or among those that are ignored), and replay.",
    ),
    Reason.NAMES_ANOTHER_TENANT: (
        "They came by one tenant's way, and name a source that this tenant has not declared.",
        "Look who sends them: either the source is declared for another tenant, or somebody sends with the wrong token.",
    ),
    Reason.CONFLICTING_SOURCE: (
        "They name two sources that don't belong together, as the name of one realm and the id of another.",
        "See that the declared sources are as the identity provider has them, and replay.",
    ),
    Reason.INDEX_REJECTED: (
        "The search index refuses them for good. They are in their tenant's log.",
        "A replay leaves them. A new index may take them: tenantry replay --tenant TENANT.",
    ),
    Reason.UNREADABLE_SEGMENT: (
        "They are records of the tenant log that this version can't read.",
        "Upgrade Tenantry, and build the tenant's index anew: tenantry replay --tenant TENANT.",
    ),
    Reason.INTERNAL_ERROR: ("Tenantry failed to place them: a fault of ours.", "Its log says why. Replay once it is mended."),
}
"""What each reason means, and what to do about it."""
_UNKNOWN: Final = ("A later version of Tenantry has put them there.", "Look with that version.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterView:
    """A sample.

    Attributes:
        facts: what is known of it, as name and value.
        text: its beginning, as it came.
        more: how much of it is not shown; empty if all is.
    """

    place: str
    at: int
    message: str
    facts: tuple[tuple[str, str], ...]
    text: str
    more: str

    @classmethod
    def of(
        cls,
        place: str,
        at: int,
        message: str,
        *,
        source: str | None,
        tenant: str | None,
        length: int,
        text: str,
        cut: bool,
    ) -> LetterView:
        """The sample of a dead letter of this length in bytes, of which `text` is the beginning."""
        facts = (("Source", source or "told by its content"), ("Tenant", tenant or "nobody knows"), ("Size", size(length)))
        shown = len(text.encode(errors="replace"))
        more = "" if shown >= length else "Only its beginning is shown."
        return cls(place=place, at=at, message=message, facts=facts, text=text, more="Only its beginning is kept." if cut else more)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupView:
    """The dead letters of one reason.

    Attributes:
        newest: when the newest became one, in epoch milliseconds.
        message: what the newest says.
        returns: whether a replay sends them to the router again.
    """

    reason: str
    count: int
    newest: int
    message: str
    returns: bool

    @property
    def means(self) -> str:
        """What the reason means."""
        return MEANS.get(self.reason, _UNKNOWN)[0]

    @property
    def advice(self) -> str:
        """What to do about it."""
        return MEANS.get(self.reason, _UNKNOWN)[1]

    @property
    def samples(self) -> str:
        """Where samples are shown."""
        return letters_path(self.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayView:
    """A replay: the one that goes on, or the last one.

    Attributes:
        passed: how many letters it has passed, of `total`.
        says: what it came to so far, in paragraphs.
        failed: whether it ended early.
    """

    by: str
    at: int
    running: bool
    passed: int
    total: int
    says: tuple[str, ...]
    failed: bool

    @classmethod
    def of(cls, by: str, at: int, *, total: int, revived: int, kept: int, cut: int, running: bool, failure: str = "") -> ReplayView:
        """The view of a replay that has passed so many."""
        said = [f"{plural(revived, 'dead letter')} sent to the router again. What it still can't place comes back as a dead letter."]
        if cut:
            said.append(f"{cut:,} left: only the beginning of each is here.")
        if kept:
            said.append(f"{kept:,} left: their events are in the log, and an index refused them.")
        if failure:
            said.insert(0, f"It ended early: {failure}. What it had not passed waits; replay again.")
        passed = revived + kept + cut
        return cls(by=by, at=at, running=running, passed=min(passed, total), total=total, says=tuple(said), failed=bool(failure))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettersPage:
    """All that wait, by reason.

    Attributes:
        waiting: how many there are, about.
        read: how many were looked at, the newest ones.
        whole: whether those are all.
        trouble: why nothing is known of them.
    """

    template: ClassVar[str] = "dead_letters.html"
    now: int
    waiting: int = 0
    read: int = 0
    whole: bool = True
    groups: tuple[GroupView, ...] = ()
    replay: ReplayView | None = None
    trouble: str | None = None
    title: str = "Dead letters"

    @property
    def running(self) -> bool:
        """Whether a replay goes on."""
        return self.replay is not None and self.replay.running

    @property
    def returning(self) -> int:
        """How many of those that were looked at a replay sends to the router again."""
        return sum(group.count for group in self.groups if group.returns)


@dataclass(frozen=True, slots=True, kw_only=True)
class LettersPage:
    """Samples of one reason."""

    template: ClassVar[str] = "letters.html"
    now: int
    group: GroupView
    letters: tuple[LetterView, ...]
    back: str = DEAD_LETTERS

    @property
    def title(self) -> str:
        """Of the page."""
        return f"{self.group.reason[:60]} · dead letters"
