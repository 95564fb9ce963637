"""The pure parts of the benchmarks `pipeline` and `delay`."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter

import pytest

from benchmarks.delay import quantile
from benchmarks.pipeline import cpu
from benchmarks.pipeline.events import made, realms
from benchmarks.pipeline.race import check
from benchmarks.pipeline.sampler import OTHER, stage_of
from streams.sources import registry


def test_the_same_seed_makes_the_same_events() -> None:
    assert list(made(50, realms(3, 1), seed=1)) == list(made(50, realms(3, 1), seed=1))
    assert {one.id for one in made(50, realms(3, 1), seed=1)}.isdisjoint(one.id for one in made(50, realms(3, 1), seed=1, run=2))


def test_more_realms_begin_with_the_same_ones() -> None:
    assert realms(5, 1)[:3] == realms(3, 1)


def test_events_are_keycloaks_and_name_their_realm() -> None:
    of = realms(7, 1)
    for one in made(500, of, seed=1):
        event = json.loads(one.value)
        assert (event["id"], event["realmId"], event["realmName"]) == (one.id, *of[one.realm])
        assert registry.recognise(event).name == "keycloak"
        assert not any("<" in str(value) for value in event.values())


def test_tenants_are_equal_unless_skewed() -> None:
    of = realms(10, 1)
    equal = Counter(one.realm for one in made(10_000, of, seed=1))
    skewed = Counter(one.realm for one in made(10_000, of, seed=1, skew=1.0))
    assert max(equal.values()) < 1.3 * min(equal.values())
    assert skewed[0] == pytest.approx(10 * skewed[9], rel=0.3)


def test_a_missing_or_strange_event_is_no_figure() -> None:
    of = realms(2, 1)
    events = list(made(10, of, seed=1))
    got = Counter(of[one.realm].id for one in events)
    check({}, got, events, of)
    check({of[0].id: 5}, got + Counter({of[0].id: 5}), events, of)
    with pytest.raises(AssertionError, match="1 tenants have not got their events"):
        check({of[1].id: 1}, got, events, of)
    for wrong in (Counter({of[1].id: 1}), Counter({"somebody-else": 1})):
        with pytest.raises(AssertionError, match="1 tenants have not got their events"):
            check({}, got + wrong, events, of)


def test_the_innermost_known_frame_names_the_stage() -> None:
    inner = ("/site-packages/msgspec/json.py", "encode")
    routing = ("/project/streams/placing.py", "__call__")
    assert stage_of([inner, routing, ("/project/streams/router.py", "take")]).startswith("router: decode")
    assert (
        stage_of([("/project/streams/segment.py", "entries"), ("/project/streams/processors/index.py", "process")])
        == "index: read segments"
    )
    assert stage_of([inner]) == OTHER


def test_quantiles_of_counts() -> None:
    assert [quantile({1: 98, 5: 1, 9: 1}, share) for share in (0.5, 0.98, 0.99, 1.0)] == [1, 1, 5, 9]
    with pytest.raises(ValueError, match="nothing"):
        quantile({}, 0.5)


def test_a_process_that_has_ended_is_noticed() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(AssertionError, match="ended by itself"):
        cpu.seconds([process.pid])
    process.wait()
    assert cpu.seconds([os.getpid()]) > 0
