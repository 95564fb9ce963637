"""Which tantivy fields an event becomes.

A keyword field is one raw term; `idp` is one raw term per leaf, `path=value`, because tantivy's own JSON fields make dates of
strings that look like dates and split keys at dots. Times and positions are 64-bit integers (tantivy cuts dates to the second). The words
of all word fields share one field, with a sign between values, so that a phrase never crosses from one value into the next.
"""

from __future__ import annotations

import hashlib
from typing import Final

from tantivy import Schema, SchemaBuilder

from streams.fields import FIELDS, FieldType

SOURCE: Final = "source"
POSITION: Final = "log.position"
TIME: Final = "@timestamp"
IDENTITY: Final = "event.id"
LEAVES: Final = "idp"
ALL_WORDS: Final = "words"
BETWEEN_VALUES: Final = " | "


_VERSION: Final = 1
"""To be counted up when an event becomes other terms, or `build` makes other fields of the same list."""

FINGERPRINT: Final = hashlib.sha256(repr((_VERSION, FIELDS)).encode()).hexdigest()[:12]
"""Names the schema. An index of another one counts as missing."""


def address_text(field: str) -> str:
    """The field that holds an address as canonical text, to be counted and returned."""
    return f"{field}.text"


NUMBERS: Final = (POSITION, *(field.name for field in FIELDS if field.type is FieldType.DATE))
KEYWORDS: Final = tuple(field.name for field in FIELDS if field.type is FieldType.KEYWORD and field.name not in {POSITION, IDENTITY})
ADDRESSES: Final = tuple(field.name for field in FIELDS if field.type is FieldType.IP)
TEXTS: Final = tuple(field.name for field in FIELDS if field.type is FieldType.TEXT)
WORD_FIELDS: Final = tuple(field.name for field in FIELDS if field.words)
COUNTED: Final = {field.name: address_text(field.name) if field.type is FieldType.IP else field.name for field in FIELDS if field.countable}
"""The field whose terms are counted for each countable field."""


def leaf_term(path: str, text: str) -> str:
    """The term of a leaf. The path's own `=` are escaped, so that `a=b: c` and `a: b=c` differ."""
    if "=" in path or "\\" in path:
        path = path.replace("\\", "\\\\").replace("=", "\\=")
    return f"{path}={text}"


def build() -> Schema:
    """The schema of every tenant's index. After a change of the fields, every index is built anew from the log; see `FINGERPRINT`."""
    builder = SchemaBuilder()
    builder.add_bytes_field(SOURCE, stored=True)
    builder.add_text_field(IDENTITY, tokenizer_name="raw", index_option="basic")
    for name in NUMBERS:
        builder.add_integer_field(name, fast=True)
    for name in KEYWORDS:
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=name in COUNTED)
    for name in ADDRESSES:
        builder.add_ip_addr_field(name, fast=True)
        builder.add_text_field(address_text(name), tokenizer_name="raw", index_option="basic", fast=True)
    builder.add_text_field(LEAVES, tokenizer_name="raw", index_option="basic")
    for name in (*TEXTS, ALL_WORDS):
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="position")
    return builder.build()
