"""Tokens: the ones that were minted and not revoked, folded from the control log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from services.access.principal import Principal
from services.access.scopes import Scope
from services.access.secret import Secret, matches, new_secret, token_id
from services.errors import Conflict, Forbidden, NotFound, Unauthenticated
from streams.control_log import ControlEvent, ControlLog, Projection
from streams.event import iso
from streams.scope import TenantScope

PLATFORM: Final = "@platform"
"""The aggregate of the operators' own tokens; no tenant id looks like it."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it may be listed; times are epoch milliseconds."""

    id: str
    name: str
    tenant: str | None
    scopes: frozenset[Scope]
    hash: str
    minted_at: int
    minted_by: str
    expires_at: int | None
    revoked_at: int | None = None

    def valid(self, now: int) -> bool:
        """Whether it lets anybody in."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


class Tokens(Projection):
    """All tokens, by id."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}

    def apply(self, key: str, event: ControlEvent) -> None:
        """Folds `token_minted`, `token_revoked` and `tenant_deleted`."""
        data = event.data
        tenant = None if key == PLATFORM else key
        if event.type == "token_minted":
            scopes = frozenset(Scope(scope) for scope in data["scopes"])
            self._tokens[data["id"]] = Token(
                data["id"], data["name"], tenant, scopes, data["hash"], event.at, event.by, data.get("expires_at")
            )
        elif event.type == "token_revoked":
            self._tokens[data["id"]] = replace(self._tokens[data["id"]], revoked_at=event.at)
        elif event.type == "tenant_deleted":
            for token in self.of(tenant):
                self._tokens[token.id] = replace(token, revoked_at=event.at)

    def of(self, tenant: str | None) -> Sequence[Token]:
        """The tenant's tokens that are not revoked, or the operators', oldest first."""
        return [token for token in self._tokens.values() if token.tenant == tenant and token.revoked_at is None]

    def principal(self, text: str, now: int) -> Principal:
        """Who holds this token.

        Raises:
            Unauthenticated: nobody: it is unknown, expired or revoked. The answer does not say which.
        """
        token = self._tokens.get(token_id(text) or "")
        if token is None or not matches(text, token.hash) or not token.valid(now):
            raise Unauthenticated("this token is not valid: it is unknown, has expired or was revoked; ask for a new one")
        return self.holder(token)

    def by_id(self, identifier: str, now: int) -> Principal | None:
        """Who holds the token with this id, as long as it is valid: for sessions that began with it."""
        token = self._tokens.get(identifier)
        return self.holder(token) if token is not None and token.valid(now) else None

    def minter(self, principal: str) -> str | None:
        """Who minted the token of this principal, whether it is still valid or not; None if there never was such a token."""
        token = self._tokens.get(principal.partition(":")[2])
        return token.minted_by if token is not None else None

    @staticmethod
    def holder(token: Token) -> Principal:
        """The principal that a token makes of its holder."""
        kind = "operator" if token.tenant is None else "token"
        return Principal(f"{kind}:{token.id}", token.name, token.tenant, token.scopes, token.expires_at)


async def mint(
    control: ControlLog, tokens: Tokens, key: str, name: str, scopes: frozenset[Scope], by: Principal, now: int, expires_at: int | None
) -> Secret:
    """A new token of a tenant; its text is in the answer and nowhere else.

    Raises:
        Forbidden: its scopes, or its life, go beyond those of the token that mints it.
        Conflict: the tenant has a token of this name.
    """
    missing = scopes - by.scopes
    if missing:
        raise Forbidden(f"a token can't hold more than the one that mints it: leave out {', '.join(sorted(missing))}")
    if by.expires_at is not None and (expires_at is None or expires_at > by.expires_at):
        raise Forbidden(f"a token can't outlive the one that mints it: give an expires_at up to {iso(by.expires_at)}")
    secret = new_secret()

    async def decide() -> Sequence[ControlEvent]:
        if any(token.name == name and token.valid(now) for token in tokens.of(key)):
            raise Conflict(f"there is a token named {name!r}; revoke it first, or take another name")
        return [minted(secret, name, scopes, by.id, now, expires_at)]

    await control.commit(key, decide)
    return secret


def minted(secret: Secret, name: str, scopes: frozenset[Scope], by: str, now: int, expires_at: int | None = None) -> ControlEvent:
    """The event of a new token."""
    data = {"id": secret.id, "name": name, "scopes": sorted(scopes), "hash": secret.hash, "expires_at": expires_at}
    return ControlEvent(type="token_minted", at=now, by=by, data=data)


async def revoke(control: ControlLog, tokens: Tokens, scope: TenantScope, identifier: str, by: Principal, now: int) -> None:
    """Revokes a token of the tenant, from this moment on, on every node that follows the control log.

    Raises:
        NotFound: the tenant has no such token.
    """

    async def decide() -> Sequence[ControlEvent]:
        if not any(token.id == identifier for token in tokens.of(scope.tenant)):
            raise NotFound(f"there is no token {identifier!r}")
        return [ControlEvent(type="token_revoked", at=now, by=by.id, data={"id": identifier})]

    await control.commit(scope.tenant, decide)
