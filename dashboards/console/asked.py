"""What the page of the log was asked for, and the addresses of everything that can be asked next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from dashboards.console.frame import log_path
from dashboards.console.histogram import Bar
from dashboards.console.times import PRESETS

PLATFORM: Final = "tenantry"
"""The `event.provider` of our own events, as in `events_searched`."""
FROM_PROVIDERS: Final = f"NOT event.provider:{PLATFORM}"
LONGEST_LINK: Final = 500
"""Characters of a condition that is worth a link."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page was asked for, as it was written.

    Attributes:
        range: names a preset; `since` and `until` go before it.
        own: whether Tenantry's own events are wanted too. By default they are not: every look at the log adds one, and an analyst
            would find themselves only.
        columns: names of fields with commas between; empty for the usual ones.
    """

    tenant: str
    q: str = ""
    range: str = ""
    since: str = ""
    until: str = ""
    own: bool = False
    columns: str = ""

    @property
    def narrow(self) -> str:
        """The query of what is shown. Its first part is `q` as it was written, so positions of errors are the same in both."""
        return f"{self.q} {FROM_PROVIDERS}".strip() if self.hides else self.q

    @property
    def hides(self) -> bool:
        """Whether Tenantry's own events are left out. A query that says which providers it wants gets them."""
        return not self.own and "event.provider" not in self.q

    @property
    def exact(self) -> bool:
        """Whether the times are given, and not a preset."""
        return bool(self.since or self.until)

    def parameters(self, **changes: str) -> dict[str, str]:
        """The page's parameters with something changed: other times go instead of its own."""
        same = {"q": self.q, "own": "1" if self.own else "", "columns": self.columns}
        times = {"since": self.since, "until": self.until} if self.exact else {"range": self.range}
        given = {**same, **({} if changes.keys() & {"range", "since", "until"} else times), **changes}
        return {name: value for name, value in given.items() if value}

    def path(self, **changes: str) -> str:
        """This page with something changed (`q`, `range`, `since`, `until`, `own`, `columns`, `after`)."""
        return log_path(self.tenant, **self.parameters(**changes))

    def narrowed(self, field: str, value: str, *, without: bool = False) -> str | None:
        """This page with the value of the field, or its absence, as one more condition; None if that is longer than links can be."""
        more = condition(field, value)
        # What merely stands beside a query must match too, whatever operators are in the query.
        return self.path(q=f"{self.q} {'NOT ' if without else ''}{more}".strip()) if len(more) <= LONGEST_LINK else None

    def at(self, bars: Sequence[Bar]) -> list[tuple[Bar, str]]:
        """Each bar, and this page for its time."""
        # What they share is written once: a page has up to 120 of them.
        shared = self.path(since="")
        begun = shared + ("&" if "?" in shared else "?")
        return [(bar, begun + urlencode({"since": bar.since, "until": bar.until})) for bar in bars]

    def presets(self) -> list[tuple[str, str, bool]]:
        """Each preset's label, page, and whether it is this one."""
        return [(one.label, self.path(range=one.name), not self.exact and one.name == self.range) for one in PRESETS]

    def export(self, kind: str) -> str:
        """All that the page's question finds, as a file."""
        return self._beside("export", format=kind)

    def tail(self, after: str) -> str:
        """What arrives for the page's question, behind a position of the log."""
        return self._beside("tail", after=after)

    def completion(self) -> str:
        """What can be typed next; the script says what was."""
        return self._beside("completion", q="", columns="")

    def _beside(self, name: str, **changes: str) -> str:
        return f"{log_path(self.tenant)}/log/{name}?{urlencode(self.parameters(**changes))}"


def condition(field: str, value: str) -> str:
    """The query for exactly this value."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{field}:"{escaped}"'
