"""Phrases whose last word is open, as `user@mal*`, with the words that it stands for.

OpenSearch's own query for it looks at the first so many words of the index that begin so, whoever's they are, and leaves out the others
without a word. So the tenant's own are found first: events that have one that is not known yet are asked for until there are none.
What that takes does not depend on how many events there are, nor on what other tenants have in the index.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from streams.errors import QueryError
from streams.index_opensearch.questions import Questions
from streams.index_opensearch.translate import Asked, both, phrase, words_of
from streams.query.tree import And, Not, Or, Query, Words

_MAX_WORDS: Final = 900
"""Each is a clause, of which OpenSearch takes 1,024 in a query."""
_MAX_ROUNDS: Final = 64
"""Each finds one of the words at least, and hundreds unless the events that have them lie side by side."""
_FIRST: Final = 64
_NEXT: Final = 512
"""Events looked at in a round: nearly always, the first has all the words."""
_HIGHEST: Final = "\U0010ffff"
"""Behind everything that a word may go on with."""


async def found(questions: Questions, query: Query) -> dict[Query, Asked]:
    """The open phrases of a query, as phrases of the words that the tenant's events have.

    Raises:
        QueryError: these are too many.
    """
    known: dict[Query, Asked] = {}
    for part in _open(query):
        if part not in known:
            name, tokens = words_of(part)
            known[part] = phrase(name, tokens[:-1], sorted(await _endings(questions, part, name, tokens)))
    return known


def _open(query: Query) -> Iterator[Words]:
    match query:
        case Words(_, _, True) if len(words_of(query)[1]) > 1:
            yield query
        case And(parts) | Or(parts):
            for part in parts:
                yield from _open(part)
        case Not(part):
            yield from _open(part)
        case _:
            pass


async def _endings(questions: Questions, query: Words, name: str, tokens: Sequence[str]) -> set[str]:
    """The words that begin like the last one, in the tenant's events that have the words before it; not all of them follow these."""
    *rest, begin = tokens
    endings: set[str] = set()
    for round_ in range(_MAX_ROUNDS):
        size = _FIRST if not round_ else _NEXT
        some, more = await questions.some(both(phrase(name, rest[:-1], rest[-1:]), _others(name, begin, sorted(endings))), [name], size)
        for one in some:
            endings.update(word for word in _words(name, one.source) if word.startswith(begin))
        if len(endings) > _MAX_WORDS:
            break
        if not more:
            return endings
    raise QueryError(f"too many different words end what `{' '.join(query.words)[:60]}*` begins", hint="write more before the `*`")


def _others(name: str, begin: str, known: Sequence[str]) -> Asked:
    """Events with a word that begins so and is none of the known: it is between two of them, in the order of the index."""
    bounds: list[dict[str, Any]] = [{"gte": begin}]
    for word in known:
        bounds[-1]["lt"] = word
        bounds.append({"gt": word})
    bounds[-1]["lt"] = begin + _HIGHEST
    return {"bool": {"should": [{"range": {name: bound}} for bound in bounds], "minimum_should_match": 1}}


def _words(name: str, source: msgspec.Raw) -> list[str]:
    root, _, leaf = name.partition(".")
    text: str = msgspec.json.decode(source)[root][leaf]
    return text.split(" ")
