"""The API guide has every route with what it takes, every error, and the limits as they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from keyvault.claims import MAX_BYTES as MAX_CLAIMS
from services.api import app, events, signing
from services.api.models import SignBody
from services.api.problems import PROBLEMS
from services.events import export, live_tails
from services.events.ingest import MAX_EVENTS
from streams.query.parser import MAX_OPEN_ENDS
from streams.query.scan import MAX_CHARACTERS, MAX_CLAUSES, MAX_DEPTH
from streams.sources.decode import MAX_EVENT_BYTES
from tests.routes import api_routes, is_route

GUIDE: Final = (Path(__file__).parents[1] / "docs" / "api.md").read_text()
PUBLIC: Final = "GET /t/{tenant}/jwks.json"


def test_every_route_is_there_with_its_scopes() -> None:
    rows = [f"| `{route.name}` | {route.takes} | {route.summary} |" for route in api_routes() if route.name != PUBLIC]
    assert sorted(re.findall(r"^\| `[A-Z]+ /[^`]+` \| .* \| .* \|$", GUIDE, re.MULTILINE)) == sorted(rows)
    assert f"| `{PUBLIC}`" in GUIDE


def test_every_error_is_there_with_its_status() -> None:
    rows = re.findall(r"^\| (\d{3}(?:, \d{3})*) \| (`.*`) \| .* \|$", GUIDE, re.MULTILINE)
    told = {(int(status), slug) for statuses, slugs in rows for status in statuses.split(", ") for slug in re.findall(r"`([^`]+)`", slugs)}
    known = {(int(problem.status), problem.slug) for problem in PROBLEMS.values()} | {(405, "method-not-allowed"), (500, "internal")}
    assert {slug for _, slug in told} == {slug for _, slug in known}
    assert known <= told


def test_the_limits_are_those_of_the_program() -> None:
    [most] = [one.max_length for one in SignBody.model_fields["batch"].metadata if hasattr(one, "max_length")]
    for limits in (
        f"| {app._MAX_BODY:,} bytes |",
        f"| {events.MAX_BODY:,} bytes, {MAX_EVENTS:,} events, {MAX_EVENT_BYTES:,} bytes an event |",
        f"| {signing.MAX_BODY:,} bytes, {most} tokens, {MAX_CLAIMS:,} bytes of claims a token |",
        f"| {MAX_CHARACTERS:,} characters, {MAX_CLAUSES} clauses, {MAX_DEPTH} levels, {MAX_OPEN_ENDS} values with `*` |",
        f"| {live_tails.PER_TENANT} a tenant and {live_tails.IN_ALL} in all, on each node |",
        f"| {export.PER_TENANT} a tenant and {export.IN_ALL} in all, on each node |",
    ):
        assert limits in GUIDE


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/tenants/acme/events/tial"), ("POST", "/v1/tenants/acme/keys/rotates"), ("PATCH", "/v1/tenants/acme"), ("GET", "/t/acme")],
)
def test_what_is_no_route_is_known_to_be_none(method: str, path: str) -> None:
    assert not is_route(method, path)
