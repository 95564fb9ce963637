"""The oracle: whether one event matches."""

from __future__ import annotations

import pytest

from streams.query.evaluate import matches
from streams.query.parser import parse

EVENT = {
    "@timestamp": "2026-11-23T10:00:00.123Z",
    "event.id": "e1",
    "event.action": "login_error",
    "event.reason": "invalid_user_credentials",
    "user.name": "Alice",
    "source.ip": "2001:DB8::1",
    "message": "Login failed: Ünknown user",
    "tags": ["trimmed", "implausible_time"],
    "tenant.id": "acme",
    "idp": {
        "details": {"auth_method": "openid-connect", "n": 3, "half": 1.5, "remember": True, "none": None},
        "ids": ["a", ["b"]],
        "a.b": {"=": "x"},
    },
}


@pytest.mark.parametrize(
    "query",
    [
        "*",
        "user.name:Alice",
        "user.name:Al*",
        "alice",
        "INVALID",
        '"user credentials"',
        "invalid_us*",
        "tags:trimmed tags:impl*",
        "message:ünk*",
        'source.ip:"2001:db8::1"',
        'source.ip:"2001:db8::/32"',
        "@timestamp:2026-11-23",
        "@timestamp:[2026-11-23T10:00:00.123Z TO 2026-11-23T10:00:00.123Z]",
        "idp.details.auth_method:openid-*",
        "idp.details.n:3 idp.details.half:1.5 idp.details.remember:true",
        "idp.ids:a idp.ids:b",
        "idp.a.b.=:x",
        "NOT user.id:*",
        "user.name:(bob OR Alice)",
    ],
)
def test_matches(query: str) -> None:
    assert matches(parse(query, now=0), EVENT)


@pytest.mark.parametrize(
    "query",
    [
        "NOT *",
        "user.name:alice",
        "user.id:*",
        '"credentials user"',
        '"error invalid"',
        "@timestamp:[2026-11-23T10:00:00.124Z TO *]",
        "idp.details:*",
        "idp.details.none:*",
        "idp.details.n:3.0",
        "source.ip:10.0.0.0/8",
    ],
)
def test_does_not_match(query: str) -> None:
    assert not matches(parse(query, now=0), EVENT)
