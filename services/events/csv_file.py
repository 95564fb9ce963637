"""Events as CSV (RFC 4180), for spreadsheets and people: everything in it shows as text, whoever wrote it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any, Final

from dashboards.console.text import json_escaped
from services.events.export_file import ExportFile, rows
from streams.fields import FIELDS
from streams.search_index import Hit

_BYTE_ORDER_MARK: Final = "\ufeff"
"""Without it, spreadsheets take the file for one of their country's old encoding."""
_FORMULA: Final = re.compile(r" *[=+\-@'＝＋－＠]")  # noqa: RUF001 -- the wide forms are formulas, too
"""How a cell begins that a spreadsheet would calculate (OWASP, CSV Injection); and the apostrophe itself, so that one is always ours."""


class CsvFile(ExportFile):
    r"""One event a line, one declared field a column; `idp` is JSON.

    - A cell that a spreadsheet would take for a formula begins with an apostrophe; so does one that begins with an apostrophe. Who
      takes away one apostrophe at the beginning has the event's text.
    - What can't be seen, as control characters, ANSI escapes and marks that turn the reading direction, is written as JSON writes it:
      `\u001b`. So an event is always one line, too.
    - Every cell is in quotes. The column of `@timestamp` is called `timestamp`: its own name would be a formula.
    """

    media_type = "text/csv; charset=utf-8; header=present"
    suffix = "csv"

    def begin(self) -> bytes:
        """The byte order mark, and the names of the columns."""
        return (_BYTE_ORDER_MARK + _lines([[field.name.removeprefix("@") for field in FIELDS]])).encode()

    def more(self, hits: Sequence[Hit]) -> bytes:
        """Their lines."""
        return _lines([[_cell(value) for value in row] for row in rows(hits)]).encode()

    def end(self) -> bytes:
        """Nothing."""
        return b""


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = json_escaped(", ".join(value) if isinstance(value, list) else value)
    return f"'{text}" if _FORMULA.match(text) else text


def _lines(cells: Sequence[Sequence[str]]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(cells)
    return text.getvalue()
