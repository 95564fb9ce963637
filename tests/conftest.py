"""What all tests share: no setting of the machine reaches them, and the long ones say so."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("TENANTRY_"):
            monkeypatch.delenv(name)
