"""What follows from how client libraries keep a JWKS. `tests/simulation` shows that it is so."""

from __future__ import annotations

import pytest

from keyvault.caching import LIBRARIES, Caching, exposed_for, left_behind, sure_after
from keyvault.durations import DAY, HOUR, MINUTE, SECOND
from keyvault.policy import Policy
from keyvault.relying_party import RelyingParty

DEFAULT = Policy()
SHARED = 10 * MINUTE
"""How old what an HTTP cache answers may be, by the default policy."""


@pytest.mark.parametrize(
    ("library", "sure", "exposed"),
    [
        ("jose", SHARED + 10 * MINUTE, SHARED + 30 * SECOND),
        ("jwks-rsa", SHARED, SHARED + 10 * MINUTE),
        ("jwks-rsa-java", SHARED + MINUTE, SHARED + 10 * HOUR),
        ("nimbus", SHARED + 5 * MINUTE, SHARED + 30 * SECOND),
        ("spring", SHARED + 5 * MINUTE, SHARED),
        ("pyjwt", SHARED + 5 * MINUTE, SHARED + 30 * SECOND),
        ("go-oidc", SHARED, SHARED),
        ("aws-jwt-verify", SHARED + 10 * SECOND, SHARED + 10 * SECOND),
        ("dotnet", SHARED + 13 * HOUR, SHARED + 5 * MINUTE + HOUR),
        ("istio", SHARED + 20 * MINUTE, SHARED + 20 * MINUTE),
        ("aws-api-gateway", SHARED + 2 * HOUR, SHARED + 2 * HOUR),
        ("aws-api-gateway-rest", SHARED + HOUR, SHARED),
    ],
)
def test_each_library_by_the_default_policy(library: str, sure: int, exposed: int) -> None:
    caching = LIBRARIES[library].caching
    assert (sure_after(caching, DEFAULT), exposed_for(caching, DEFAULT)) == (sure, exposed)


def test_no_library_is_forgotten_here() -> None:
    [mark] = test_each_library_by_the_default_policy.pytestmark  # type: ignore[attr-defined]
    assert [case[0] for case in mark.args[1]] == list(LIBRARIES)


@pytest.mark.parametrize(
    ("caching", "sure", "exposed"),
    [
        (Caching(lifetime=None, refetches=False), None, None),
        (Caching(lifetime=DAY, refetches=False), SHARED + DAY, SHARED + DAY),
        (Caching(lifetime=None, refetches=True, per_key=True), SHARED, None),
        (Caching(lifetime=MINUTE, refetches=True, cooldown=HOUR), SHARED + MINUTE, SHARED + MINUTE),
        (Caching(lifetime=MINUTE, refetches=False, grace=HOUR), SHARED + MINUTE, SHARED + MINUTE + HOUR),
    ],
    ids=["neither", "a-day", "each-key-for-ever", "expires-before-it-may-ask", "grace"],
)
def test_each_rule(caching: Caching, sure: int | None, exposed: int | None) -> None:
    assert (sure_after(caching, DEFAULT), exposed_for(caching, DEFAULT)) == (sure, exposed)


def test_what_http_caches_keep_counts() -> None:
    policy = Policy(jwks_max_age=HOUR, clock_skew=MINUTE)
    assert sure_after(LIBRARIES["istio"].caching, policy) == exposed_for(LIBRARIES["istio"].caching, policy) == 81 * MINUTE


def test_the_default_policy_leaves_nobody_behind() -> None:
    assert left_behind(DEFAULT) == ()


def test_who_is_left_behind_by_a_policy_that_hardly_waits() -> None:
    assert left_behind(Policy(publish_ahead=12 * HOUR)) == ("dotnet",)
    assert left_behind(Policy(publish_ahead=25 * MINUTE)) == ("dotnet", "istio", "aws-api-gateway", "aws-api-gateway-rest")
    assert left_behind(Policy(publish_ahead=SHARED + SECOND)) == tuple(name for name in LIBRARIES if name not in {"jwks-rsa", "go-oidc"})


def test_a_relying_party_with_a_library_and_its_own_cache_time_keeps_the_other_rules() -> None:
    rules = LIBRARIES["dotnet"].caching
    own = RelyingParty(id="app", name="App", library="dotnet", cached_for=HOUR).caching
    assert own == Caching(
        lifetime=HOUR,
        refetches=True,
        cooldown=rules.cooldown,
        background=True,
        grace=rules.grace,
        keeps_stale=True,
    )
    assert RelyingParty(id="app", name="App", library="dotnet").caching == rules
    assert RelyingParty(id="app", name="App", cached_for=HOUR).caching == Caching(lifetime=HOUR, refetches=False)
    assert RelyingParty(id="app", name="App").caching is None
