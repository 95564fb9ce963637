"""What a key has signed, counted."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyvault.durations import HOUR
from keyvault.usage import LONGEST_NAME, MOST_CLIENTS, Usage, UsageRecord
from tests.keyvault.made import NOW

SECRET = bytes(range(32))
Token = tuple[dict[str, Any], int]


def used(*tokens: dict[str, Any], now: int = NOW) -> Usage:
    usage = Usage()
    for claims in tokens:
        usage.add(claims, now + HOUR, now, SECRET)
    return usage


def test_it_counts_tokens_clients_subjects_and_times() -> None:
    usage = used({"client_id": "web", "sub": "ada"}, {"client_id": "web", "sub": "bob"}, {"azp": "app", "sub": "ada"}, {})
    usage.add({"client_id": "web", "sub": "ada"}, NOW + 3 * HOUR, NOW + HOUR, SECRET)
    assert usage.signatures == 5
    assert usage.clients == {"web": 3, "app": 1}
    assert (usage.without_client, usage.other_clients) == (1, 0)
    assert usage.subjects.estimate() == 2
    assert (usage.first_at, usage.last_at, usage.last_expiry) == (NOW, NOW + HOUR, NOW + 3 * HOUR)


@pytest.mark.parametrize("claims", [{"client_id": 7}, {"client_id": ""}, {"azp": ["web"]}, {"client_id": None, "azp": {}}])
def test_a_client_that_is_no_name_is_none(claims: dict[str, Any]) -> None:
    assert used(claims).without_client == 1


def test_a_subject_that_is_no_text_is_not_counted() -> None:
    assert used({"sub": 7}, {"sub": None}).subjects.estimate() == 0


def test_a_hostile_number_of_clients_and_their_names_fill_no_memory() -> None:
    usage = used(*({"client_id": f"{number}" + "x" * 10_000} for number in range(5 * MOST_CLIENTS)))
    assert len(usage.clients) == MOST_CLIENTS
    assert max(map(len, usage.clients)) == LONGEST_NAME
    assert usage.signatures == 5 * MOST_CLIENTS
    assert usage.other_clients == 4 * MOST_CLIENTS
    assert len(msgspec.json.encode(usage.record())) < 60_000


def test_of_many_clients_those_with_the_most_tokens_keep_their_names() -> None:
    junk = used(*({"client_id": f"junk {number}"} for number in range(MOST_CLIENTS)))
    real = used({"client_id": "web"}, {"client_id": "web"})
    junk.join(real)
    assert junk.clients["web"] == 2
    assert len(junk.clients) == MOST_CLIENTS
    assert junk.other_clients == 1
    assert junk.clients.total() + junk.other_clients == junk.signatures == MOST_CLIENTS + 2


tokens = st.lists(
    st.tuples(
        st.fixed_dictionaries({}, optional={"client_id": st.sampled_from(["web", "app", "<b>"]), "sub": st.text(max_size=3)}),
        st.integers(NOW, NOW + 100 * HOUR),
    )
)


def counted(found: list[Token]) -> Usage:
    usage = Usage()
    for claims, at in found:
        usage.add(claims, at + HOUR, at, SECRET)
    return usage


@given(tokens, tokens)
def test_joined_they_are_as_if_one_had_counted_all(some: list[Token], others: list[Token]) -> None:
    joined = counted(some)
    joined.join(counted(others))
    assert joined == counted(some + others)


@given(tokens.filter(bool))
def test_a_record_is_read_back_also_from_json_of_a_newer_version(found: list[Token]) -> None:
    usage = counted(found)
    stored = msgspec.json.encode({**msgspec.to_builtins(usage.record()), "of_a_newer_version": 1})
    assert Usage.of(msgspec.json.decode(stored, type=UsageRecord)) == usage


def test_a_record_holds_no_subject() -> None:
    assert b"ada@example.com" not in msgspec.json.encode(used({"sub": "ada@example.com"}).record())


def test_nothing_is_no_record() -> None:
    with pytest.raises(ValueError, match="nothing to record"):
        Usage().record()
