"""Usage: what a key has signed, counted. It says who is affected when the key turns out to be bad, and decides nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import msgspec

from keyvault.distinct import Distinct

MOST_CLIENTS: Final = 200
"""Clients that are counted by name, the others together: whoever registers clients by the thousand fills no memory."""
LONGEST_NAME: Final = 200
"""Characters of a client's name. Longer ones are cut, and counted together with those that begin alike."""


class ClientRecord(msgspec.Struct, frozen=True):
    """A client, and how many tokens named it. Not an object with a field for each client: names of fields must be few."""

    id: str
    signatures: int


class UsageRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Usage as it is stored in a tenant's log: fields may be added with a default, never removed, renamed or given another meaning.

    Attributes:
        signatures: tokens that were signed.
        clients: for how many of them each client was named, most first.
        other_clients: how many were for further clients.
        without_client: how many named none.
        subjects: about how many different subjects they had, for people.
        subjects_sketch: the same for machines, to be joined with others: see `keyvault.distinct`.
        first_at: when the first was signed; epoch milliseconds, like all times.
        last_at: when the last was signed.
        last_expiry: when the last of them expires.
    """

    signatures: int
    clients: tuple[ClientRecord, ...] = ()
    other_clients: int = 0
    without_client: int = 0
    subjects: int = 0
    subjects_sketch: str = ""
    first_at: int
    last_at: int
    last_expiry: int


@dataclass(slots=True)
class Usage:
    """What one key has signed, in a period or since ever; it grows. Times are epoch milliseconds, None before the first token.

    Subjects are people: none of them is kept, only about how many there were.
    """

    signatures: int = 0
    clients: Counter[str] = field(default_factory=Counter)
    other_clients: int = 0
    without_client: int = 0
    subjects: Distinct = field(default_factory=Distinct)
    first_at: int | None = None
    last_at: int | None = None
    last_expiry: int | None = None

    def add(self, claims: Mapping[str, Any], expires_at: int, now: int, secret: bytes) -> None:
        """Counts one token.

        Args:
            claims: what was asked to be signed: `client_id` (RFC 9068 section 2.2) or `azp` (OpenID Connect Core section 2) is the client,
                `sub` the subject.
            expires_at: when the token expires.
            now: when it was signed.
            secret: of the sketch of subjects.
        """
        self.signatures += 1
        client = _client(claims)
        if client is None:
            self.without_client += 1
        elif client in self.clients or len(self.clients) < MOST_CLIENTS:
            self.clients[client] += 1
        else:
            self.other_clients += 1
        if isinstance(subject := claims.get("sub"), str):
            self.subjects.add(subject, secret)
        self._span(now, now, expires_at)

    def join(self, other: Usage) -> None:
        """Counts what the other has counted, too. Of the clients, those with the most tokens keep their names."""
        if other.first_at is None or other.last_at is None or other.last_expiry is None:
            return
        self.signatures += other.signatures
        self.clients += other.clients
        self.other_clients += other.other_clients
        self.without_client += other.without_client
        if len(self.clients) > MOST_CLIENTS:
            kept = Counter(dict(self.clients.most_common(MOST_CLIENTS)))
            self.other_clients += self.clients.total() - kept.total()
            self.clients = kept
        self.subjects.join(other.subjects)
        self._span(other.first_at, other.last_at, other.last_expiry)

    def record(self) -> UsageRecord:
        """What is stored of it.

        Raises:
            ValueError: nothing was counted.
        """
        if self.first_at is None or self.last_at is None or self.last_expiry is None:
            raise ValueError("there is nothing to record before the first token")
        return UsageRecord(
            signatures=self.signatures,
            clients=tuple(ClientRecord(name, count) for name, count in self.clients.most_common()),
            other_clients=self.other_clients,
            without_client=self.without_client,
            subjects=self.subjects.estimate(),
            subjects_sketch=self.subjects.encode(),
            first_at=self.first_at,
            last_at=self.last_at,
            last_expiry=self.last_expiry,
        )

    @classmethod
    def of(cls, record: UsageRecord) -> Self:
        """The usage that was stored.

        Raises:
            ValueError: its sketch of subjects can't be read.
        """
        return cls(
            signatures=record.signatures,
            clients=Counter({client.id: client.signatures for client in record.clients}),
            other_clients=record.other_clients,
            without_client=record.without_client,
            subjects=Distinct.decode(record.subjects_sketch) if record.subjects_sketch else Distinct(),
            first_at=record.first_at,
            last_at=record.last_at,
            last_expiry=record.last_expiry,
        )

    def _span(self, first_at: int, last_at: int, last_expiry: int) -> None:
        self.first_at = first_at if self.first_at is None else min(self.first_at, first_at)
        self.last_at = last_at if self.last_at is None else max(self.last_at, last_at)
        self.last_expiry = last_expiry if self.last_expiry is None else max(self.last_expiry, last_expiry)


def _client(claims: Mapping[str, Any]) -> str | None:
    for name in ("client_id", "azp"):
        if isinstance(value := claims.get(name), str) and value:
            return value[:LONGEST_NAME]
    return None
