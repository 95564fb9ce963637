"""Which field a query's name means, and what it may have meant."""

from __future__ import annotations

import difflib

from streams.errors import QueryError
from streams.fields import BY_NAME, Field, FieldType

_FLAT = tuple(name for name, field in BY_NAME.items() if field.type is FieldType.FLAT)


def resolve(name: str, *, position: int | None) -> Field:
    """The declared field of a name; of `idp.some.path` it is `idp`.

    Raises:
        QueryError: there is no such field, or it needs a path.
    """
    for flat in _FLAT:
        if name.startswith(flat + ".") and len(name) > len(flat) + 1:
            return BY_NAME[flat]
        if name in {flat, flat + "."}:
            raise QueryError(f"`{flat}` needs a path", position=position, hint=f"name what is in it, as {flat}.details.auth_method")
    field = BY_NAME.get(name)
    if field is None:
        raise QueryError(f"unknown field `{name[:60]}`", position=position, hint=_suggest(name[:60]))
    return field


def _suggest(name: str) -> str:
    close = difflib.get_close_matches(name.lower(), BY_NAME, n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    ends = [known for known in BY_NAME if known.rpartition(".")[2] == name.lower()]
    if ends:
        return f"did you mean `{ends[0]}`?"
    return "what the source itself sent is under idp, as idp.details.auth_method"
