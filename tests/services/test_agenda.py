"""An agenda, against one that looks at everybody each time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.keys.agenda import Agenda

NAMES = st.sampled_from("abcdefgh")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), NAMES, st.integers(0, 20)),
        st.tuples(st.just("drop"), NAMES, st.just(0)),
        st.tuples(st.just("take"), st.just(""), st.integers(0, 20)),
    ),
    max_size=300,
)


@given(STEPS)
def test_it_names_the_earliest(steps: list[tuple[str, str, int]]) -> None:
    agenda, known = Agenda(), dict[str, int]()
    for step, tenant, time in steps:
        if step == "put":
            agenda.put(tenant, time)
            known[tenant] = time
        elif step == "drop":
            agenda.drop(tenant)
            known.pop(tenant, None)
        else:
            due = sorted((when, one) for one, when in known.items() if when <= time)
            assert agenda.due(time) == {one for _, one in due}
            taken = agenda.take(time)
            assert taken == (due[0][1] if due else None)
            known.pop(taken or "", None)
        assert agenda.next() == min(known.values(), default=None)
        assert len(agenda) == len(known)


def test_what_is_planned_again_and_again_takes_no_more_room() -> None:
    agenda = Agenda()
    for time in range(10_000):
        agenda.put("tenant", 10_000 - time)
        agenda.put("another", 20_000 + time)
    assert len(agenda._heap) < 100
