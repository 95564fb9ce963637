"""The pages around the log and the keys: signing in, choosing a tenant, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class SignInPage:
    """Where a token is pasted. `next` is a page of this console."""

    template: ClassVar[str] = "sign_in.html"
    next: str
    problem: str | None = None
    title: str = "Sign in"


@dataclass(frozen=True, slots=True)
class TenantLine:
    """A tenant in the list of all.

    Attributes:
        algorithm: of the key that signs; None when none does.
        signing_since: since when it does, epoch milliseconds.
    """

    id: str
    name: str
    created_at: int
    algorithm: str | None
    signing_since: int | None
    log: str
    keys: str


@dataclass(frozen=True, slots=True)
class TenantsPage:
    """All tenants, or those whose id or name holds `find`."""

    template: ClassVar[str] = "tenants.html"
    now: int
    tenants: tuple[TenantLine, ...]
    find: str
    title: str = "Tenants"


@dataclass(frozen=True, slots=True)
class TroublePage:
    """An answer that is not what was asked for: its HTTP status, what happened, and a way on."""

    template: ClassVar[str] = "trouble.html"
    status: int
    title: str
    message: str
    way_on: str


@dataclass(frozen=True, slots=True)
class LookingPage:
    """Stands in for a page whose answer takes a while, and gives way to it.

    Attributes:
        here: what the page is called.
        says: what is being looked at.
        path: where it is.
    """

    template: ClassVar[str] = "looking.html"
    here: str
    says: str
    path: str

    @property
    def title(self) -> str:
        """Of the page."""
        return self.here


@dataclass(frozen=True, slots=True)
class ContinuePage:
    """A page that goes on to `target` by itself.

    The session's cookie is SameSite=Strict, so a link from elsewhere (a chat, a ticket) comes without it; going on from a page of
    our own brings it along.
    """

    template: ClassVar[str] = "continue.html"
    target: str
    title: str = "One moment"
