"""One compromise, and one relying party: for how long it goes on accepting what the thief signs, and what it refuses meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Literal

from keyvault.blast_radius import BlastRadius, Exposure, blast_radius
from keyvault.caching import LIBRARIES, Caching
from keyvault.commands import change_policy, compromise, rotate
from keyvault.durations import DAY, HOUR, MINUTE, SECOND
from keyvault.events import RelyingPartyRegistered
from keyvault.plan import Plan
from keyvault.policy import Policy
from keyvault.relying_party import RelyingParty as Registered
from keyvault.ring import Ring
from tests.keyvault.made import NOW
from tests.simulation.issuer import Tenantry, Token
from tests.simulation.relying_party import HttpCache, RelyingParty, Verdict
from tests.simulation.world import Spans, World

AT = NOW + 2 * DAY
"""When the key is reported as compromised."""
NEVER = AT + 1000 * DAY
Stolen = Literal["active", "standby", "retired"]


@dataclass(slots=True)
class Measured:
    """What was seen (milliseconds after the compromise).

    Attributes:
        exposed: when a stolen key's token was accepted last; 0: never since.
        refused: how long genuine tokens of the keys that came after were refused, from the first to the last one.
    """

    exposed: int = 0
    refused: int = 0
    _since: int | None = None

    def stolen(self, verdict: Verdict, now: int) -> None:
        if verdict is Verdict.ACCEPTED and now >= AT:
            self.exposed = now - AT

    def genuine(self, verdict: Verdict, now: int) -> None:
        if verdict is Verdict.REFUSED and now >= AT:
            self._since = now if self._since is None else self._since
            self.refused = now - self._since


class Emergency:
    """A key is compromised at `AT`. Tokens of it never expire: the thief signs new ones.

    Args:
        late: by how much the HTTP cache's clock is late, up to `clock_skew`.
        store_away: when no key can be made.
        which: the key that signs, the one that signs next, or the one that signed until half an hour before.
    """

    def __init__(
        self, caching: Caching, policy: Policy, *, late: int, store_away: Spans = (), standby: bool = True, which: Stolen = "active"
    ) -> None:
        self.world = World(NOW)
        self.issuer = Tenantry(self.world, policy, store_away=store_away)
        self.cache = HttpCache(self.issuer, late=late)
        self.party = RelyingParty(caching, self.cache.get)
        self.measured = Measured()
        ring = self.issuer.history.ring
        stolen = ring.standby if which == "standby" else ring.active
        assert stolen is not None
        self.kid = stolen.kid
        self._stolen = Token(stolen.kid, NEVER)
        if which == "retired":
            self.world.at(AT - 30 * MINUTE, partial(self.issuer.command, _rotate))
        if not standby:
            self.world.at(AT, self._lose_standby)
        self.world.at(AT, partial(self.issuer.command, partial(_report, kid=stolen.kid)))

    def show(self, *, genuine: bool = True) -> None:
        """A token of the thief's, and then one of the key that signs now."""
        now = self.world.now
        self.measured.stolen(self.party.verify(self._stolen, now), now)
        token = self.issuer.token(now) if genuine else None
        if token is not None:
            self.measured.genuine(self.party.verify(token, now), now)

    def predicted(self, party: Registered) -> BlastRadius:
        """What the service says now, had this relying party been registered."""
        now = self.world.now
        ring = self.issuer.history.ring.apply(RelyingPartyRegistered(at=now, relying_party=party))
        return blast_radius(ring, self.kid, None, now)

    def _lose_standby(self) -> None:
        """It is compromised, too, before the active key is, and no other can be made just then."""
        standby = self.issuer.history.ring.standby
        assert standby is not None
        self.issuer.history.carry_out(_report(self.issuer.history.ring, AT, kid=standby.kid), away=True)


def _report(ring: Ring, now: int, *, kid: str) -> Plan:
    return compromise(ring, ring.policy, now, kid, reason="a laptop was stolen")


def _rotate(ring: Ring, now: int) -> Plan:
    return rotate(ring, ring.policy, now, activate=True, reason="half an hour before")


def registered(name: str, caching: Caching) -> Registered:
    """A relying party that is registered with these rules."""
    if name in LIBRARIES:
        return Registered(id=name, name=name, library=name)
    party = Registered(id=name.replace(" ", "-"), name=name, cached_for=caching.lifetime)
    assert party.caching == caching
    return party


def predicted(name: str, caching: Caching, policy: Policy, *, which: Stolen = "active", standby: bool = True) -> int | None:
    """For how long it may accept the stolen key's tokens, as the service says before the report and after it; None: until it is restarted.

    It must say the same both times.
    """
    one = Emergency(caching, policy, late=0, which=which, standby=standby)
    said = set()
    for when in (AT - 1, AT):
        one.world.run(when)
        [exposure] = one.predicted(registered(name, caching)).exposures
        said.add(None if exposure.until is None else exposure.until - when)
    [exposed] = said
    return exposed


def worst(caching: Caching, policy: Policy, *, step: int = SECOND, lasts: int, standby: bool = True, which: Stolen = "active") -> Measured:
    """The phase that an adversary would choose, with a token of each kind every `step`.

    The HTTP cache takes its copy in the last millisecond before the compromise, and its clock is as late as clocks may be. The client
    starts at the last moment at which this copy is served, and somebody uses up the fetches that it has for unknown `kid`s.
    """
    shared = policy.jwks_max_age + policy.clock_skew
    one = Emergency(caching, policy, late=policy.clock_skew, standby=standby, which=which)
    one.world.at(AT - 1, partial(one.cache.renew, AT - 1))

    one.world.at(AT + shared - 2, partial(_start, one, caching))
    # Planned once the takeover is, so that of two things at the same time the takeover comes first.
    one.world.at(AT + 1, lambda: one.world.each(range(AT + shared, AT + lasts, step), one.show))
    one.world.run(AT + lasts)
    return one.measured


def _start(one: Emergency, caching: Caching) -> None:
    one.show()
    for number in range(caching.burst):
        one.party.verify(Token(f"unknown {number}", NEVER), one.world.now)


def policy_changes(party: Registered, before: Policy, policy: Policy, *, at: int) -> tuple[Measured, Exposure, int]:
    """The policy is changed at that time, just before or after the compromise: what was measured, what is said, and the step of tokens.

    The HTTP cache takes its copy in the last millisecond before either, and the client starts at the last moment at which it is served.
    """
    assert party.caching is not None
    one = Emergency(party.caching, before, late=before.clock_skew)
    last = min(at, AT)
    one.world.at(last - 1, partial(one.cache.renew, last - 1))
    one.world.at(at, partial(one.issuer.command, lambda ring, now: change_policy(ring, policy, now)))
    ends = last + before.cached
    one.world.at(ends - 2, partial(_start, one, party.caching))
    one.world.run(max(at, AT))
    [told] = one.predicted(party).exposures
    assert told.until is not None
    step = (told.until - AT) // 10_000
    one.world.each(range(ends, told.until + HOUR, step), one.show)
    one.world.run(told.until + HOUR)
    return one.measured, told, step


def random_phase(caching: Caching, policy: Policy, *, seed: str, step: int, lasts: int) -> Measured:
    """Any phase: tokens of each kind come at least every `step`, the caches are filled and the client restarts whenever it happens."""
    random = Random(seed)
    one = Emergency(caching, policy, late=random.randint(0, policy.clock_skew))
    for _ in range(random.randrange(4)):
        when = AT + random.randint(-policy.jwks_max_age, policy.jwks_max_age + policy.clock_skew)
        one.world.at(when, partial(one.cache.renew, when))
    for _ in range(random.randrange(3)):
        one.world.at(AT + random.randint(-HOUR, policy.jwks_max_age + policy.clock_skew), one.party.restart)
    one.world.each(range(AT - 14 * HOUR, AT - HOUR, 10 * MINUTE), one.show)
    times = [AT - HOUR + random.randrange(step)]
    while times[-1] < AT + lasts:
        times.append(times[-1] + random.randint(1, step))
    one.world.each(times, one.show)
    one.world.run(AT + lasts)
    return one.measured
