"""A node that Kafka does not answer goes on signing for as long as a JWKS may be cached, and then says that it can't."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from keyvault.durations import MINUTE
from keyvault.policy import Policy
from services.errors import CutOff
from services.keys.hearing import Hearing, signs_unheard_for
from streams.control_log import ControlLog
from streams.log_kafka import KafkaEventLog
from tests.faults.test_kafka_frozen import frozen
from tests.servers.kafka import Kafka

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])

POLICY = Policy()


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def control(log: KafkaEventLog) -> AsyncIterator[ControlLog]:
    control = ControlLog(log, [])
    await control.start()
    yield control
    await control.stop()


@pytest.fixture
async def clock() -> Clock:
    return Clock()


@pytest.fixture
async def hearing(control: ControlLog, clock: Clock) -> AsyncIterator[Hearing]:
    hearing = Hearing(control, clock=clock)
    hearing.start()
    yield hearing
    await hearing.stop()


def test_the_bound_is_how_long_a_jwks_may_be_cached() -> None:
    assert signs_unheard_for(POLICY) == POLICY.jwks_max_age + POLICY.clock_skew
    assert signs_unheard_for(Policy(jwks_max_age=1000, clock_skew=0)) == 1 * MINUTE


async def test_what_was_never_started_hears_everything(control: ControlLog, clock: Clock) -> None:
    hearing = Hearing(control, clock=clock)
    clock.now += 1_000_000
    hearing.check(POLICY)


async def test_a_node_that_is_cut_off_signs_for_a_while_only(own: Kafka, hearing: Hearing, clock: Clock) -> None:
    bound = signs_unheard_for(POLICY) / 1000
    clock.now += bound
    hearing.check(POLICY)
    assert await hearing.listen()
    with frozen(own):
        clock.now += bound
        assert not await hearing.listen()
        hearing.check(POLICY)
        clock.now += 1
        with pytest.raises(CutOff, match="heard nothing from the control log for 601 s"):
            hearing.check(POLICY)
        hearing.check(Policy(jwks_max_age=2 * POLICY.jwks_max_age))
    async with asyncio.timeout(60):
        while not await hearing.listen():
            pass
    hearing.check(POLICY)
