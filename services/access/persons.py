"""Persons: which principals may be one and the same, and whether they still are anybody, as far as the control log can tell.

Tokens have no owners here, but each was minted by somebody, who saw it. So two tokens are those of one person if one was minted with the
other, directly or by tokens in between, or if a tenant's token minted both. Operators hand tokens out to other people, so what two tokens
have in common may be the operator that minted them: they then count as two persons, and it is the operator's part to give one person one.
"""

from __future__ import annotations

from collections.abc import Iterator

from services.access.tokens import Tokens


def same_person(tokens: Tokens, one: str, other: str) -> bool:
    """Whether these two principals (`token:ID`, `operator:ID`) may be one person."""
    mine, theirs = {one, *_line(tokens, one)}, {other, *_line(tokens, other)}
    return one in theirs or other in mine or any(not principal.startswith("operator:") for principal in mine & theirs)


def is_left(tokens: Tokens, principal: str, now: int) -> bool:
    """Whether this principal's token is valid: else one that was stolen, noticed and revoked would have its last wish fulfilled."""
    return tokens.by_id(principal.partition(":")[2], now) is not None


def _line(tokens: Tokens, principal: str) -> Iterator[str]:
    """Who minted the principal's token, who minted that one's, and so on, as far as they had tokens themselves."""
    while (minter := tokens.minter(principal)) is not None and tokens.minter(minter) is not None:
        yield minter
        principal = minter
