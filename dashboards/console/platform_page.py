"""All tenants in a table: how large, how busy, how far behind; found by a word, sorted, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from dashboards.console.frame import keys_path, log_path
from dashboards.console.platform_frame import platform_path, plural, rate, size
from dashboards.console.times import age, words

PER_PAGE: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantRow:
    """A tenant; None is what is not known now.

    Attributes:
        documents: events in its index.
        bytes: what that takes on disk.
        per_minute: events per minute lately.
        waiting: events that are in its log and not in its index.
        waiting_exact: whether there are no more of those.
        waiting_since: when the oldest of them was written, in epoch milliseconds.
        backlog: whether its index is being caught up by itself.
    """

    id: str
    name: str
    isolation: str
    documents: int | None
    bytes: int | None
    per_minute: float | None
    waiting: int | None
    waiting_exact: bool = True
    waiting_since: int | None = None
    backlog: bool = False

    @property
    def log(self) -> str:
        """Where its log is."""
        return log_path(self.id)

    @property
    def keys(self) -> str:
        """Where its keys are."""
        return keys_path(self.id)

    @property
    def behind(self) -> bool:
        """Whether its index is not up to its log, or may not be."""
        return bool(self.waiting) or not self.waiting_exact or self.backlog

    def size(self) -> str:
        """Its size in words."""
        if self.documents is None:
            return "not known"
        taken = f" · {size(self.bytes)}" if self.bytes is not None else ""
        return plural(self.documents, "event") + taken

    def rate(self) -> str:
        """Its rate in words."""
        return "not known" if self.per_minute is None else f"{rate(self.per_minute)} a minute"

    def lag(self, now: int) -> str:
        """Its lag in words."""
        if self.waiting is None:
            return "not known"
        if not self.waiting:
            return ("being caught up" if self.backlog else "none") if self.waiting_exact else "more than was looked at"
        least = "" if self.waiting_exact else "at least "
        since = f", the oldest from {age(self.waiting_since, now)}" if self.waiting_since is not None else ""
        return f"{least}{plural(self.waiting, 'event')}{since}"


def _behind(row: TenantRow) -> tuple[bool, bool, int]:
    return not row.waiting_exact, row.backlog, row.waiting or 0


SORTS: Final[dict[str, tuple[str, Callable[[TenantRow], Any], bool]]] = {
    "id": ("Id", lambda row: row.id, False),
    "size": ("Size", lambda row: row.documents or 0, True),
    "rate": ("Rate", lambda row: row.per_minute or 0, True),
    "lag": ("Lag", _behind, True),
}
"""By what tenants are sorted: what that is called, and whether the largest come first."""


@dataclass(frozen=True, slots=True)
class PlatformPage:
    """The table.

    Attributes:
        at: when it was looked at, in epoch milliseconds.
        rows: of this page.
        found: how many tenants `find` has found, of `total`.
        sums: what all tenants come to together.
        behind: how many tenants' indexes are behind.
        window: over how long the rates are.
        troubles: what could not be found out.
    """

    template: ClassVar[str] = "platform.html"
    now: int
    at: int
    rows: tuple[TenantRow, ...]
    found: int
    total: int
    sums: tuple[tuple[str, str], ...]
    behind: int
    window: str
    troubles: tuple[str, ...]
    find: str
    sort: str
    page: int
    title: str = "Tenants"

    @classmethod
    def of(
        cls, rows: Sequence[TenantRow], now: int, *, at: int, window: int, troubles: Sequence[str], find: str, sort: str, page: int
    ) -> PlatformPage:
        """The page of these tenants. An unknown `sort` is the first one, a page behind the last is the last."""
        word = find.strip().lower()
        found = [row for row in rows if word in row.id or word in row.name.lower()]
        sort = sort if sort in SORTS else "id"
        _, key, largest_first = SORTS[sort]
        found.sort(key=key, reverse=largest_first)
        last = max(1, -(-len(found) // PER_PAGE))
        page = min(max(1, page), last)
        return cls(
            now=now,
            at=at,
            rows=tuple(found[(page - 1) * PER_PAGE : page * PER_PAGE]),
            found=len(found),
            total=len(rows),
            sums=_sums(rows),
            behind=sum(row.behind for row in rows),
            window=words(window // 1000 * 1000),
            troubles=tuple(troubles),
            find=find.strip(),
            sort=sort,
            page=page,
        )

    @property
    def sorts(self) -> tuple[tuple[str, str, bool], ...]:
        """The ways to sort: what each is called, where it is, and whether it is this one."""
        return tuple((label, self._path(sort=name, page=1), name == self.sort) for name, (label, _, _) in SORTS.items())

    def sorted_by(self, name: str) -> str | None:
        """What a column says about the order of the rows; None if they are not in its order."""
        return ("descending" if SORTS[name][2] else "ascending") if name == self.sort else None

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return max(1, -(-self.found // PER_PAGE))

    @property
    def before(self) -> str | None:
        """Where the page before this is."""
        return self._path(sort=self.sort, page=self.page - 1) if self.page > 1 else None

    @property
    def after(self) -> str | None:
        """Where the page after this is."""
        return self._path(sort=self.sort, page=self.page + 1) if self.page < self.pages else None

    def _path(self, *, sort: str, page: int) -> str:
        return platform_path(find=self.find, sort="" if sort == "id" else sort, page="" if page == 1 else str(page))


def _sums(rows: Sequence[TenantRow]) -> tuple[tuple[str, str], ...]:
    documents = [row.documents for row in rows if row.documents is not None]
    taken = [row.bytes for row in rows if row.bytes is not None]
    rates = [row.per_minute for row in rows if row.per_minute is not None]
    return (
        ("Tenants", f"{len(rows):,}"),
        ("Events", f"{sum(documents):,}" if documents else "not known"),
        *((("On disk", size(sum(taken))),) if taken else ()),
        ("Events a minute", rate(sum(rates)) if rates else "not known"),
    )
