"""A platform with Globex, whose log is shown, and Acme, whose people must not see it."""

from __future__ import annotations

import pytest

from tests.platforms import Site, keycloak


@pytest.fixture
async def here(here: Site) -> Site:
    await here.create("acme")
    await here.create("globex", keycloak("globex"))
    return here
