"""A circuit breaker, under a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from keyvault.breaker import Breaker


class Down(Exception):
    """What is asked is away."""


class Clock:
    """Seconds, which pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Asked:
    """Something behind a breaker: opens after three failures in a row and half a second, rests for two."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.told: list[bool] = []
        self.breaker = Breaker(Down, changed=self.told.append, clock=self.clock, failures=3, outage=0.5, rest=2.0)

    def ask(self, error: type[BaseException] | None = None) -> None:
        with self.under_way(error):
            pass

    @contextmanager
    def under_way(self, error: type[BaseException] | None = None) -> Iterator[None]:
        """A call that ends as the context does."""
        assert self.breaker.wait() == 0
        with suppress(Down, KeyError, asyncio.CancelledError), self.breaker.attempt():
            yield
            if error is not None:
                raise error

    def goes_down(self) -> None:
        self.ask(Down)
        for _ in range(2):
            self.clock.now += 0.3
            self.ask(Down)
        assert self.breaker.is_open


@pytest.fixture
def asked() -> Asked:
    return Asked()


def test_it_opens_after_failures_in_a_row(asked: Asked) -> None:
    asked.ask()
    for _ in range(2):
        asked.clock.now += 1
        asked.ask(Down)
        assert not asked.breaker.is_open
    asked.clock.now += 1
    asked.ask(Down)
    assert asked.told == [True]
    assert asked.breaker.wait() == 2


def test_many_failures_of_one_moment_do_not_open_it(asked: Asked) -> None:
    for _ in range(50):
        asked.ask(Down)
        asked.clock.now += 0.001
    assert not asked.breaker.is_open
    asked.clock.now += 0.5
    asked.ask(Down)
    assert asked.breaker.is_open


def test_calls_that_were_waited_for_in_vain_open_it_though_they_fail_together(asked: Asked) -> None:
    with ExitStack() as calls:
        for _ in range(3):
            calls.enter_context(asked.under_way(Down))
        asked.clock.now += 10
    assert asked.breaker.is_open


def test_they_do_not_if_others_were_answered_meanwhile(asked: Asked) -> None:
    with ExitStack() as calls:
        for _ in range(16):
            calls.enter_context(asked.under_way(Down))
        asked.clock.now += 10
        asked.ask()
    assert not asked.breaker.is_open


def test_an_answer_in_between_begins_anew(asked: Asked) -> None:
    for _ in range(10):
        asked.ask(Down)
        asked.clock.now += 1
        asked.ask(Down)
        asked.clock.now += 1
        asked.ask()
    assert asked.told == []


def test_another_error_is_an_answer(asked: Asked) -> None:
    for _ in range(10):
        asked.ask(KeyError)
        asked.clock.now += 1
    assert not asked.breaker.is_open
    asked.goes_down()
    asked.clock.now += 2
    asked.ask(KeyError)
    assert asked.told == [True, False]


def test_after_its_rest_one_may_ask_and_the_others_wait_for_what_it_hears(asked: Asked) -> None:
    asked.goes_down()
    asked.clock.now += 1.9
    assert asked.breaker.wait() > 0
    asked.clock.now += 0.1
    with asked.under_way():
        assert asked.breaker.wait() == 2
        asked.clock.now += 5
        assert asked.breaker.wait() == 2, "the one that asks is not answered yet"
        assert asked.breaker.is_open
    assert asked.breaker.wait() == 0
    assert asked.told == [True, False]


def test_a_failure_after_its_rest_is_another_rest(asked: Asked) -> None:
    asked.goes_down()
    for _ in range(5):
        asked.clock.now += 2
        asked.ask(Down)
        assert asked.breaker.wait() == 2
    assert asked.told == [True]


def test_one_who_asks_and_goes_away_leaves_it_to_the_next(asked: Asked) -> None:
    asked.goes_down()
    asked.clock.now += 2
    asked.ask(asyncio.CancelledError)
    assert asked.breaker.is_open
    asked.ask()
    assert not asked.breaker.is_open


def test_failures_of_calls_from_before_do_not_prolong_the_rest(asked: Asked) -> None:
    with asked.under_way(Down), asked.under_way(Down):
        asked.goes_down()
        asked.clock.now += 1
        left = asked.breaker.wait()
    assert asked.breaker.wait() == left


def test_an_answer_to_a_call_from_before_closes_it(asked: Asked) -> None:
    with asked.under_way():
        asked.goes_down()
    assert not asked.breaker.is_open
    assert asked.breaker.wait() == 0


def test_one_who_asked_when_it_was_closed_by_another_leaves_nothing_behind(asked: Asked) -> None:
    with asked.under_way():
        asked.goes_down()
        asked.clock.now += 2
        probe = asked.under_way(Down)
        probe.__enter__()
    assert not asked.breaker.is_open, "the older call was answered"
    probe.__exit__(None, None, None)
    asked.goes_down()
    asked.clock.now += 2
    asked.ask()
    assert not asked.breaker.is_open
