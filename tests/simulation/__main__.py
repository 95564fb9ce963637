"""`python -m tests.simulation` prints who notices a rotation, by our rotation and by the recipes of others."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from keyvault.caching import LIBRARIES
from tests.simulation.compare import RECIPES, Fared, compare


def main() -> None:
    table = Table(title="A year of four rotations: how many were noticed by eight everyday relying parties, and the longest interruption")
    table.add_column("client library")
    for recipe in RECIPES:
        table.add_column(recipe, justify="right")
    for name, fared in compare().items():
        title = LIBRARIES[name].title if name in LIBRARIES else name
        table.add_row(title, *(_cell(fared[recipe]) for recipe in RECIPES))
    Console().print(table)


def _cell(fared: Fared) -> str:
    if fared.worst is None:
        return f"{fared.noticed} of {fared.of}"
    return f"{fared.noticed} of {fared.of}, up to {_length(fared.worst)}"


def _length(milliseconds: int) -> str:
    seconds = round(milliseconds / 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes) + [f"{seconds} s"] * bool(seconds and not hours)
    return " ".join(parts) or "one token"


if __name__ == "__main__":
    main()
