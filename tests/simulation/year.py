"""Relying parties with every library, over a year or less of an issuer's rotations, and what became of the tokens that they were shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random

from keyvault.caching import LIBRARIES, Caching
from keyvault.durations import DAY, HOUR, MINUTE, SECOND
from tests.keyvault.made import NOW
from tests.simulation.issuer import Issuer, Token
from tests.simulation.relying_party import HttpCache, RelyingParty, Verdict
from tests.simulation.world import World

A_DAY_LONG = "cached for a day"
PARTIES: Mapping[str, Caching] = {
    **{name: library.caching for name, library in LIBRARIES.items()},
    A_DAY_LONG: Caching(lifetime=DAY, refetches=False),
}
"""Every library, and one that people set up themselves: it asks once a day, and never in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Where a relying party stands.

    Attributes:
        clock: the share of `clock_skew` by which its clock is ahead of the publisher's, as far as it then differs from the signer's by no
            more than that.
        cached: behind the HTTP cache that all share, whose clock is late by `clock_skew`.
        restarts: it restarts in the last moment in which an HTTP cache serves what was before a change.
        idle: there are times without a single token, of this length (milliseconds).
    """

    clock: float = 0
    cached: bool = False
    restarts: bool = False
    idle: int = 0


SITUATIONS = (
    Situation(clock=-1),
    Situation(clock=-1, cached=True, restarts=True),
    Situation(clock=1, cached=True),
    Situation(cached=True, idle=42 * DAY),
    Situation(clock=-0.5, idle=14 * DAY, restarts=True),
)


@dataclass(slots=True)
class Tally:
    """What became of the tokens of one library.

    Attributes:
        verdicts: how many had each.
        interruptions: for each relying party and `kid` that was refused: from the first refusal until the last one, or until the
            next token of this `kid` that was accepted (milliseconds).
    """

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    interruptions: dict[tuple[int, str], int] = field(default_factory=dict)
    _since: dict[tuple[int, str], int] = field(default_factory=dict)

    @property
    def refused(self) -> int:
        return self.verdicts[Verdict.REFUSED]

    @property
    def longest(self) -> int:
        return max(self.interruptions.values(), default=0)

    def note(self, party: int, token: Token, verdict: Verdict, now: int) -> None:
        self.verdicts[verdict] += 1
        where = (party, token.kid)
        if verdict is Verdict.REFUSED:
            since = self._since.setdefault(where, now)
        elif verdict is Verdict.ACCEPTED and where in self._since:
            since = self._since.pop(where)
        else:
            return
        self.interruptions[where] = max(self.interruptions.get(where, 0), now - since)


Visits = Callable[[Random, Issuer, Situation, int], Iterable[int]]
"""When tokens come in, of an issuer whose changes are known beforehand, until a time."""


def run(
    make: Callable[[World], Issuer],
    *,
    days: int,
    skew: int,
    visits: Visits,
    seed: int = 1,
    situations: Iterable[Situation] = SITUATIONS,
    parties: Mapping[str, Caching] = PARTIES,
) -> tuple[Issuer, dict[str, Tally]]:
    """The issuer after these days, and how each of the parties fared in all the situations."""
    until = NOW + days * DAY
    rehearsal = make(World(NOW))
    rehearsal.world.run(until)
    world = World(NOW)
    issuer = make(world)
    shared = HttpCache(issuer, late=skew)
    world.each((change - 1 for change in rehearsal.changes if change > NOW), lambda: shared.renew(world.now))
    shown = issuer.max_age + skew - 2 if issuer.max_age else -1
    last_moments = frozenset(change + shown for change in rehearsal.changes if change > NOW)
    tallies = {name: Tally() for name in parties}
    for name, caching in parties.items():
        for number, situation in enumerate(situations):
            random = Random(f"{seed} {name} {number}")
            clock = round(min(max(situation.clock, issuer.clock / skew - 1), issuer.clock / skew + 1) * skew) if skew else 0
            fetch = shared.get if situation.cached else issuer.jwks
            party = RelyingParty(caching, fetch, clock=clock)
            restarts = last_moments if situation.restarts else frozenset()
            times = sorted({*visits(random, rehearsal, situation, until), *restarts})
            world.each(times, partial(_show, issuer, party, restarts, tallies[name], number, random))
    world.run(until)
    return issuer, tallies


def _show(issuer: Issuer, party: RelyingParty, restarts: frozenset[int], tally: Tally, number: int, random: Random) -> None:
    now = issuer.world.now
    if now in restarts:
        party.restart()
    for token in _tokens(issuer, party, now, random):
        tally.note(number, token, party.verify(token, now), now)


def _tokens(issuer: Issuer, party: RelyingParty, now: int, random: Random) -> Iterator[Token]:
    """A fresh one, one that expires in the next millisecond by the relying party's clock, and one of any age between, in any order."""
    oldest = max(1, issuer.lifetime + issuer.clock - party.clock - 1)  # a clock may be ahead by more than a token lives
    ages = [0, oldest, random.randrange(oldest)]
    random.shuffle(ages)
    for age in ages:
        if (token := issuer.token(now - age)) is not None:
            yield token


def adversarial(random: Random, issuer: Issuer, situation: Situation, until: int) -> list[int]:
    """Now and then, and around each change just before, at, and just after every duration that plays a part."""
    lifetimes = {caching.lifetime for caching in PARTIES.values() if caching.lifetime is not None}
    shared = issuer.max_age + 5 * MINUTE
    edges = {0, SECOND, 10 * SECOND, 30 * SECOND, MINUTE, issuer.max_age, shared}
    edges |= {issuer.lifetime + more for more in (0, 5 * MINUTE, 10 * MINUTE)}
    edges |= {lifetime + more for lifetime in lifetimes for more in (0, shared)}
    offsets = sorted({edge + by for edge in edges for by in (-2, -1, 0, 1)})
    some = len(offsets) if len(issuer.changes) < 30 else 40
    times = _now_and_then(random, until, 12 * HOUR)
    for change in issuer.changes:
        times += [change + offset for offset in random.sample(offsets, some)]
        times += [change + round(10 ** random.uniform(0, 8)) for _ in range(20)]
    quiet = _quiet(random, situation.idle, until)
    return [time for time in times if time >= NOW and not any(since <= time < end for since, end in quiet)]


def ordinary(random: Random, issuer: Issuer, situation: Situation, until: int) -> list[int]:
    """What people notice: from a day before another key signs on, a token every half hour; after it every half minute, then more rarely.

    Who is idle is so until then, as over a long weekend.
    """
    times: list[int] = []
    for turn, _ in issuer.turns[1:]:
        start = random.randrange(30 * MINUTE)
        after = [*range(0, 10 * MINUTE, 30 * SECOND), *range(10 * MINUTE, 3 * HOUR, 5 * MINUTE), *range(3 * HOUR, 26 * HOUR, HOUR)]
        times += range(turn - situation.idle - 26 * HOUR + start, turn - situation.idle, 30 * MINUTE)
        times += [turn + random.randrange(30 * SECOND) + offset for offset in after]
    return [time for time in times if NOW <= time <= until]


def _now_and_then(random: Random, until: int, every: int) -> list[int]:
    times = [NOW + random.randrange(every)]
    while times[-1] <= until:
        times.append(times[-1] + 1 + round(random.expovariate(1 / every)))
    return times


def _quiet(random: Random, length: int, until: int) -> list[tuple[int, int]]:
    """Idle times: no more than half of the time, and no two of them longer than twice that length."""
    if not length:
        return []
    slots = max(1, (until - NOW) // (2 * length))
    slot = (until - NOW) // slots
    starts = [NOW + number * slot + random.randrange(max(1, slot - length)) for number in range(slots)]
    return [(start, start + length) for start in starts]
