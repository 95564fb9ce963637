"""The same relying parties, by our rotation and by the recipes of others: who notices a rotation, and for how long."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from keyvault.caching import LIBRARIES
from keyvault.durations import DAY
from tests.keyvault.made import POLICY
from tests.simulation.issuer import Issuer, Tenantry, announce, keycloak
from tests.simulation.world import World
from tests.simulation.year import A_DAY_LONG, SITUATIONS, Situation, Tally, Visits, adversarial, ordinary, run

RECIPES: Mapping[str, Callable[[World], Issuer]] = {
    "Tenantry": partial(Tenantry, policy=POLICY),
    "signs at once (Keycloak)": partial(keycloak, policy=POLICY),
    "announced for 24 h": partial(announce, policy=POLICY),
}
EVERYDAY = (
    *(Situation() for _ in range(3)),
    *(Situation(cached=True) for _ in range(3)),
    Situation(idle=3 * DAY),
    Situation(idle=14 * DAY, cached=True),
)
"""Eight relying parties with right clocks, whose phases are as they happen to be; two have had no traffic for a while."""


@dataclass(frozen=True, slots=True)
class Fared:
    """How one library fared by one recipe, in a year of four rotations.

    Attributes:
        noticed: of how many rotations of all everyday relying parties somebody noticed something.
        of: how many these were.
        worst: the longest interruption that any had, the adversary's too, milliseconds; None: there was none.
    """

    noticed: int
    of: int
    worst: int | None


def compare() -> dict[str, dict[str, Fared]]:
    """By library, and by recipe."""
    found: dict[str, dict[str, Fared]] = {name: {} for name in (*LIBRARIES, A_DAY_LONG)}
    for recipe, make in RECIPES.items():
        issuer, everyday = _year(make, ordinary, EVERYDAY)
        _, worst = _year(make, adversarial, SITUATIONS)
        rotations = (len(issuer.turns) - 1) * len(EVERYDAY)
        for name, tally in everyday.items():
            found[name][recipe] = Fared(len(tally.interruptions), rotations, _longest(tally, worst[name]))
    return found


def _year(make: Callable[[World], Issuer], visits: Visits, situations: tuple[Situation, ...]) -> tuple[Issuer, dict[str, Tally]]:
    return run(make, days=365, skew=POLICY.clock_skew, visits=visits, situations=situations)


def _longest(*tallies: Tally) -> int | None:
    return max((tally.longest for tally in tallies if tally.refused), default=None)
