"""What keys are called in Vault: no two the same, and none outside its tenant's part of a policy."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from hypothesis import assume, given
from hypothesis import strategies as st

from keyvault.algorithms import Algorithm
from keyvault.key_store import KeyName
from keyvault.store_vault.names import KINDS, transit_name
from streams.scope import TenantScope

TENANTS = st.from_regex(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True).map(TenantScope)
NAMES = st.builds(KeyName, TENANTS, st.integers(min_value=0, max_value=10**12), st.sampled_from(Algorithm))


@given(NAMES, NAMES)
def test_no_two_keys_have_the_same_name(one: KeyName, other: KeyName) -> None:
    assert (transit_name(one) == transit_name(other)) == (one == other)


@given(NAMES)
def test_a_name_is_one_that_transit_takes(name: KeyName) -> None:
    assert re.fullmatch(r"\w(([\w.-]+)?\w)?", transit_name(name), re.ASCII)  # its sources: framework.GenericNameRegex


@given(NAMES, TENANTS)
def test_a_policy_for_a_tenants_names_covers_no_other_tenants(name: KeyName, tenant: TenantScope) -> None:
    assume(name.scope != tenant)
    assert not fnmatchcase(transit_name(name), f"{tenant.tenant}.*")


def test_every_algorithm_has_its_kind() -> None:
    assert set(KINDS) == set(Algorithm)
