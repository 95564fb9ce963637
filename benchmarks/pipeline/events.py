"""The events of the benchmark: Keycloak's, in the form in which its Kafka listener sends them, made from the recorded ones.

The same seed makes the same events. Ids, times, tenants, sessions and tokens differ from event to event; all else is as recorded.
"""

from __future__ import annotations

import bisect
import gzip
import itertools
import json
import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from services.sample.load import FILES

_LISTENER: Final = ("id", "time", "type", "realmId", "realmName", "clientId", "userId", "sessionId", "ipAddress", "error", "details")
"""The fields of the listener's form, in its order; it writes null for what an event does not have."""

_TOKENS: Final = frozenset({"token_id", "refresh_token_id"})
_LEAST_BYTES: Final = 400
_FIRST_MS: Final = 1_795_500_000_000


class Realm(NamedTuple):
    """A tenant's realm in Keycloak. `id` is also the tenant's id, and part of its index's name."""

    id: str
    name: str


class Made(NamedTuple):
    """An event, and the number of its realm."""

    realm: int
    id: str
    value: bytes


def realms(count: int, seed: int) -> list[Realm]:
    """So many realms; the first ones of a larger number are those of a smaller one."""
    source = random.Random(f"{seed} realms")
    return [Realm(_uuid(source), f"tenant{number:05d}") for number in range(count)]


def made(
    count: int, of: Sequence[Realm], *, seed: int, run: int = 0, skew: float = 0.0, clock: Callable[[int], int] | None = None
) -> Iterator[Made]:
    """The events of a run, each of a random realm.

    Args:
        count: how many.
        of: the realms.
        seed: makes them the same each time.
        run: makes them other events.
        skew: 0 gives each realm equally many; s gives the realm of rank r a share in proportion to r**-s (Zipf).
        clock: the time of each event by its number, in epoch milliseconds; by default a thousand a second.
    """
    source = random.Random(f"{seed} events {run}")
    templates = _templates()
    weights = list(itertools.accumulate((rank + 1) ** -skew for rank in range(len(of))))
    start = _FIRST_MS + run * 86_400_000
    for number in range(count):
        place = bisect.bisect(weights, source.random() * weights[-1], hi=len(of) - 1)
        realm = of[place]
        identity = _uuid(source)
        template = templates[int(source.random() * len(templates))]
        time = clock(number) if clock else start + number
        yield Made(place, identity, template.fill(identity, time, realm, source))


class _Template:
    """A recorded event, cut where it differs from event to event."""

    def __init__(self, event: dict[str, Any]) -> None:
        whole = {name: event.get(name) for name in _LISTENER} | {"id": "<id>", "realmId": "<realm>", "realmName": "<name>"}
        whole["details"] = {name: _open(value) if name in _TOKENS else value for name, value in event["details"].items()}
        whole["time"] = "<time>"
        text = json.dumps(whole, separators=(",", ":"), ensure_ascii=False).replace("%", "%%").replace('"<time>"', "%(time)d")
        for name in ("id", "realm", "name", "token"):
            text = text.replace(f"<{name}>", f"%({name})s")
        self._text = text

    def fill(self, identity: str, time: int, realm: Realm, source: random.Random) -> bytes:
        values = {"id": identity, "time": time, "realm": realm.id, "name": realm.name, "token": _uuid(source)}
        return (self._text % values).encode()


def _open(token_id: str) -> str:
    """A token's id, which Keycloak begins with six letters and a colon, with its UUID to be filled in."""
    kind, colon, _ = token_id.rpartition(":")
    return f"{kind}{colon}<token>"


def _templates() -> list[_Template]:
    with gzip.open(FILES[0]) as lines:
        recorded = [json.loads(line) for line in lines if len(line) >= _LEAST_BYTES]
    return [_Template(event) for event in recorded if event.get("details")]


def _uuid(source: random.Random) -> str:
    return str(uuid.UUID(int=source.getrandbits(128), version=4))
