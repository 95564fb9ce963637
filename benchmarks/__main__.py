"""`python -m benchmarks NAME [--json]`: runs a benchmark, or all of them."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from typing import Any, Final

NAMES: Final = ("ingest", "search", "console", "jwks", "sign", "memory", "start", "pipeline", "delay")
_OWN: Final = {
    "pipeline": ("tenants", "workers", "skew", "pooled"),
    "delay": ("tenants", "workers"),
    "start": ("tenants",),
    "sign": ("batch", "nodes"),
}
"""The options that only some benchmarks have."""


def main() -> None:
    """Runs what is named, each in order, and prints one JSON object or a few lines for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures Tenantry against a peer in the same run.")
    parser.add_argument("name", choices=[*NAMES, "all"])
    parser.add_argument("--events", type=int, help="how many events to use; each benchmark has its own default")
    parser.add_argument("--runs", type=int, default=3, help="interleaved runs, of which the median counts")
    parser.add_argument("--tenants", type=int, help="pipeline, delay, start: how many tenants")
    parser.add_argument("--workers", type=int, help="pipeline, delay: how many worker processes")
    parser.add_argument("--skew", type=float, help="pipeline: 0 for tenants of equal size; 1 gives the tenant of rank r a share of 1/r")
    parser.add_argument("--batch", type=int, help="sign: how many tokens a batch has, 100 at most")
    parser.add_argument("--nodes", type=int, help="sign: how many nodes of the service share the clients")
    parser.add_argument("--pooled", action="store_true", default=None, help="pipeline: all tenants but fifty share indexes")
    parser.add_argument("--json", action="store_true", help="print one JSON object for each")
    given = parser.parse_args()
    failed = False
    for name in NAMES if given.name == "all" else (given.name,):
        benchmark = importlib.import_module(f"benchmarks.{name}")
        own = {option: value for option in _OWN.get(name, ()) if (value := getattr(given, option)) is not None}
        try:
            figures: dict[str, Any] = {"benchmark": name, **benchmark.run(given.events, given.runs, **own)}
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
