"""`python -m benchmarks NAME [--json]`: runs a benchmark, or all of them."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from typing import Any, Final

NAMES: Final = ("ingest", "search", "jwks", "memory")


def main() -> None:
    """Runs what is named, each in order, and prints one JSON object or a few lines for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures Tenantry against a peer in the same run.")
    parser.add_argument("name", choices=[*NAMES, "all"])
    parser.add_argument("--events", type=int, help="how many events to use; each benchmark has its own default")
    parser.add_argument("--runs", type=int, default=3, help="interleaved runs, of which the median counts")
    parser.add_argument("--json", action="store_true", help="print one JSON object for each")
    given = parser.parse_args()
    failed = False
    for name in NAMES if given.name == "all" else (given.name,):
        benchmark = importlib.import_module(f"benchmarks.{name}")
        try:
            figures: dict[str, Any] = {"benchmark": name, **benchmark.run(given.events, given.runs)}
        except MissingPeerError as error:
            failed = True
            print(f"{name}: {error}", file=sys.stderr)
            continue
        if given.json:
            print(json.dumps(figures))
        else:
            _print(name, figures)
    sys.exit(1 if failed else 0)


class MissingPeerError(Exception):
    """What is measured against is not installed; the message says how to install it."""


def _print(name: str, figures: dict[str, Any]) -> None:
    print(f"\n{name}")
    for key, value in figures.items():
        print(f"  {key:32} {value:,.3f}" if isinstance(value, float) else f"  {key:32} {value}")


if __name__ == "__main__":
    # Imported again under its own name, so that a benchmark's MissingPeerError is the one that is caught here.
    importlib.import_module("benchmarks.__main__").main()
