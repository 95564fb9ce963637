"""Whoever may write to the topic of dead letters makes no labels of metrics."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from services.worker.application import _reason


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"reason": b"not_json"}, "not_json"),
        ({"reason": b"<script>alert(1)</script>"}, "unknown"),
        ({"reason": b"\xff"}, "unknown"),
        ({}, "unknown"),
        (None, "unknown"),
    ],
)
def test_a_reason_is_one_that_tenantry_knows(headers: dict[str, bytes] | None, reason: str) -> None:
    event: Any = SimpleNamespace(headers=headers)
    assert _reason(event) == reason
