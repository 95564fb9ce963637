"""Whose turn it is: bounded, and fair among tenants."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from services.notices.turns import Turns


def test_a_tenant_with_many_does_not_keep_another_waiting() -> None:
    turns = Turns(4, 2)
    for number in range(100):
        turns.add("acme", f"rp{number}")
    turns.add("globex", "web")
    assert [turns.take() for _ in range(4)] == [("acme", "rp0"), ("globex", "web"), ("acme", "rp1"), None]
    turns.done("acme")
    assert turns.take() == ("acme", "rp2")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=60), st.randoms())
def test_everybody_gets_a_place_in_the_order_of_its_tenant_and_no_bound_is_passed(whom: list[tuple[str, int]], chance: Random) -> None:
    turns = Turns(4, 2)
    busy: list[str] = []
    served: list[tuple[str, str]] = []
    for tenant, number in whom:
        turns.add(tenant, str(number))
    while True:
        while (taken := turns.take()) is not None:
            busy.append(taken[0])
            served.append(taken)
        assert len(busy) <= 4
        assert max(Counter(busy).values(), default=0) <= 2
        if not busy:
            break
        done = busy.pop(chance.randrange(len(busy)))
        turns.done(done)
    for tenant in "abc":
        assert [name for one, name in served if one == tenant] == [str(number) for one, number in whom if one == tenant]
