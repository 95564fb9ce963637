"""Policies that hold from a tenant's first key on: a later one waits for what caches hold by the policy before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keyvault.policy import Policy
from services.bootstrap import start
from services.settings import Settings
from streams.scope import TenantScope
from tests import engines


async def set_before(data: Path, policies: Mapping[str, Mapping[str, Any]], **settings: Any) -> None:
    """Sets the policies of tenants that are not there yet, before anything else runs on the directory.

    `settings` are those of `services.settings`, besides `data` and this run's engines.
    """
    async with start(Settings(data=data, **{**engines.settings(data), **settings})) as platform:
        for tenant, policy in policies.items():
            await platform.custodian.change_policy(TenantScope(tenant), Policy.parse(policy), by="a test", command=None)
