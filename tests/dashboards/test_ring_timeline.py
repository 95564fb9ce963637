"""The key ring as a picture: each phase of a key's life where it belongs, by the ring's facts and the policy's schedule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.console.frame import Frame
from dashboards.console.key_phases import Phase, PhaseKind, phases, turn
from dashboards.console.keys_page import KeysPage
from dashboards.console.render import render
from dashboards.console.ring_timeline import Timeline, timeline
from keyvault import commands
from keyvault.algorithms import Algorithm
from keyvault.durations import DAY, HOUR, MINUTE
from keyvault.events import KeyImported, PolicyChanged
from keyvault.policy import Policy
from keyvault.ring import Ring
from tests.dashboards.hostile import HOSTILE, is_text
from tests.keyvault.made import KEPT, NOW, POLICY, History, jwk, with_policy

TURN = NOW + 90 * DAY


def settled(policy: Policy = POLICY) -> History:
    """A new tenant's ring, which has the policy that its keys were made by."""
    history = History()
    history.append([PolicyChanged(at=NOW, policy=policy)])
    history.settle(NOW, policy)
    return history


def lives(history: History, now: int) -> list[tuple[Phase, ...]]:
    return [phases(key, history.ring, now) for key in history.ring.keys]


def drawn(history: History, now: int) -> Timeline:
    found = timeline(history.ring, now)
    assert found is not None
    return found


def part(text: str) -> float:
    return float(text.removesuffix("%"))


def test_a_new_ring_has_one_key_that_signs_and_one_that_will() -> None:
    assert lives(settled(), NOW + HOUR) == [
        (Phase(PhaseKind.SIGNING, NOW, TURN), Phase(PhaseKind.RETIRING, TURN, TURN + KEPT)),
        (Phase(PhaseKind.PUBLISHED, NOW, TURN), Phase(PhaseKind.SIGNING, TURN, None)),
    ]


def test_after_a_rotation_the_old_key_verifies_and_then_is_gone() -> None:
    history = settled()
    history.settle(TURN)
    first = (Phase(PhaseKind.SIGNING, NOW, TURN), Phase(PhaseKind.RETIRING, TURN, TURN + KEPT))
    assert lives(history, TURN + MINUTE)[0] == first
    assert lives(history, TURN + KEPT)[0] == (*first, Phase(PhaseKind.GONE, TURN + KEPT, None))


def test_a_compromise_ends_every_phase() -> None:
    history = settled()
    bad = history.ring.keys[0].kid
    history.carry_out(commands.compromise(history.ring, POLICY, NOW + DAY, bad, reason="a test"))
    assert lives(history, NOW + 2 * DAY)[0] == (
        Phase(PhaseKind.SIGNING, NOW, NOW + DAY),
        Phase(PhaseKind.COMPROMISED, NOW + DAY, None),
    )


def test_a_compromised_standby_never_signs() -> None:
    history = settled()
    history.carry_out(commands.compromise(history.ring, POLICY, NOW + DAY, history.ring.keys[1].kid, reason="a test"))
    assert [phase.kind for phase in lives(history, NOW + DAY)[1]] == [PhaseKind.PUBLISHED, PhaseKind.COMPROMISED]


def test_an_imported_key_verifies_from_the_moment_that_it_is_published() -> None:
    history = settled()
    foreign = jwk(99)
    history.append([KeyImported(at=NOW, kid=foreign.kid, algorithm=POLICY.algorithm, jwk=foreign, publish_until=NOW + DAY)])
    assert lives(history, NOW + HOUR)[0] == (Phase(PhaseKind.RETIRING, NOW, NOW + DAY),)
    assert drawn(history, NOW + HOUR).rows[0].name == "Imported key"


def test_what_is_due_and_not_done_is_planned_for_now() -> None:
    history = settled()
    assert turn(history.ring, TURN + DAY) == TURN + DAY
    assert "follows now, as soon as the scheduler can do it" in drawn(history, TURN + DAY).says[0]


def test_a_standby_of_another_algorithm_is_not_said_to_follow() -> None:
    history = settled()
    history.append([PolicyChanged(at=NOW, policy=with_policy(algorithm=Algorithm.ES256))])
    assert lives(history, NOW + HOUR) == [(Phase(PhaseKind.SIGNING, NOW, None),), (Phase(PhaseKind.PUBLISHED, NOW, None),)]
    assert "Key 2 is about to be replaced" in drawn(history, NOW + HOUR).says[0]


ROOMY = with_policy(max_published_keys=20)
ORDERS = ("settle", "force", "compromise the active", "compromise the standby", "import")


@given(st.lists(st.tuples(st.sampled_from(ORDERS), st.integers(0, 40 * DAY)), max_size=12), st.integers(0, 2 * DAY))
def test_what_lies_behind_is_what_was_published_then(steps: list[tuple[str, int]], later: int) -> None:
    history, now = settled(ROOMY), NOW
    for number, (order, pause) in enumerate(steps):
        now += pause
        history.settle(now, ROOMY)
        ring = history.ring
        if order == "force":
            history.carry_out(commands.rotate(ring, ROOMY, now, activate=True, reason="a test"))
        elif order == "import":
            foreign = jwk(1000 + number)
            until = now + 3 * DAY
            history.append([KeyImported(at=now, kid=foreign.kid, algorithm=POLICY.algorithm, jwk=foreign, publish_until=until)])
        elif order.startswith("compromise"):
            key = ring.active if order.endswith("active") else ring.standby
            if key is not None:
                history.carry_out(commands.compromise(ring, ROOMY, now, key.kid, reason="a test"))
    now += later
    times = {event.at for event in history.events} | {key.publish_until for key in history.ring.keys if key.publish_until is not None}
    for time in sorted(time + step for time in times for step in (-1, 0, 1) if NOW <= time + step <= now):
        shown = {key.kid for key in history.ring.keys if any(_covers(phase, time) for phase in phases(key, history.ring, now))}
        assert shown == {key.kid for key in Ring.at(history.events, time).published(time)}


def _covers(phase: Phase, time: int) -> bool:
    in_jwks = phase.kind in {PhaseKind.PUBLISHED, PhaseKind.SIGNING, PhaseKind.RETIRING}
    return in_jwks and phase.start <= time and (phase.end is None or time < phase.end)


@pytest.mark.parametrize("later", [45 * DAY, HOUR])
def test_what_lies_ahead_is_planned_and_what_lies_behind_is_not(later: int) -> None:
    picture = drawn(settled(), NOW + later)
    now = part(picture.now.x)
    for row in picture.rows:
        for bar in row.bars:
            left, right = part(bar.x), part(bar.x) + part(bar.width)
            assert (left >= now - 0.01) if bar.planned else (right <= now + 0.01)
            assert 0 <= left < right <= 100.01


def test_however_short_a_phase_is_it_can_be_seen() -> None:
    picture = drawn(settled(), NOW + 45 * DAY)
    assert [bar.label for bar in picture.rows[0].bars if bar.label] == ["signs"]
    [retiring] = [bar for bar in picture.rows[0].bars if bar.kind == "retiring"]
    assert part(retiring.width) == 0.8
    assert retiring.label == ""


def test_a_ring_of_many_years_shows_what_is_published_and_what_was_last() -> None:
    history, now = settled(), NOW
    for _ in range(12):
        now += 90 * DAY
        history.settle(now)
        history.settle(now + KEPT)
    picture = drawn(history, now + KEPT)
    assert [row.name for row in picture.rows] == [f"Key {number}" for number in range(7, 15)]
    assert picture.more == 6
    assert "6 older keys are left out" in render(page(history.ring, now + KEPT), Frame())


def test_the_axis_tells_times_apart() -> None:
    assert len(drawn(settled(), NOW).ticks[0].label) == len("2027-01-15")
    second = 1000
    policy = with_policy(
        rotation_period=30 * second, publish_ahead=3 * second, jwks_max_age=second, clock_skew=0, max_token_lifetime=second
    )
    short = settled(policy=policy)
    assert len({tick.label for tick in drawn(short, NOW).ticks}) == 3


def test_an_empty_ring_has_no_picture() -> None:
    assert timeline(Ring.empty(), NOW) is None


def test_the_picture_has_its_text_beside_it_and_markup_in_no_kid() -> None:
    history = settled()
    foreign = jwk(98)
    history.append([KeyImported(at=NOW, kid=HOSTILE, algorithm=POLICY.algorithm, jwk=foreign, publish_until=NOW + DAY)])
    html = render(page(history.ring, NOW + HOUR), Frame())
    assert 'role="img" aria-labelledby="timeline" aria-describedby="timeline-says"' in html
    assert "The same as a list" in html
    assert html.count("<li>signs from") == 2
    assert is_text(html)
    picture = html[html.index('<svg class="timeline"') : html.index('<ul class="legend"')]
    assert "<i>" not in picture
    assert "style=" not in html


def page(ring: Ring, now: int) -> KeysPage:
    return KeysPage.of("acme", ring, now, issuer="https://id.example/t/acme", may_rotate=True)


def test_a_page_of_very_many_keys_is_light() -> None:
    history, now = settled(), NOW
    for _ in range(250):
        now += 90 * DAY
        history.settle(now)
        history.settle(now + KEPT)
    html = render(page(history.ring, now + KEPT), Frame())
    assert "240 older keys" in html
    assert len(html) < 100_000
