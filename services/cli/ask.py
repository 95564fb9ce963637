"""`tenantry search` and `tail`: questions to a running service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
import typer
from rich.text import Text

from services.cli import columns as fields
from services.cli.app import Json, Q, Since, Tenant, Until, examples
from services.cli.client import Client, path_of
from services.cli.columns import Columns
from services.cli.output import coloured, err, out, print_json, print_table, printable
from services.errors import ServiceError
from services.settings import Settings

_LONG: Final = frozenset({"user.name", "client.id", "event.reason"})
"""Columns whose values a narrow terminal shortens."""
_FOR_GOOD: Final = frozenset({400, 401, 403, 404})
"""Problems of the question, the token, or the tenant, with which a stream ends. After others it goes on, or can be connected again."""


class Sort(StrEnum):
    """Which events come first."""

    NEWEST = "newest"
    OLDEST = "oldest"


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command(
        epilog=examples(
            "search globex 'event.outcome:failure AND source.ip:203.0.113.0/24' --since now-24h",
            "search globex mallory --columns @timestamp,event.action,idp.details.auth_method",
            "search globex '' --limit 100000 --json | jq -r '.[\"user.name\"]' | sort | uniq -c",
        )
    )(search)
    app.command(
        epilog=examples(
            "tail globex",
            "tail -f globex 'event.outcome:failure'",
            "tail -f globex 'NOT event.provider:tenantry' --json | jq .",
        )
    )(tail)


def search(
    tenant: Tenant,
    q: Q = "",
    since: Since = "",
    until: Until = "",
    limit: Annotated[int, typer.Option(min=1, help="How many events at most.")] = 20,
    sort: Annotated[Sort, typer.Option(help="Which come first.")] = Sort.NEWEST,
    columns: Columns = fields.DEFAULT,
    json: Json = False,
) -> None:
    """Searches a tenant's log. With --json, it prints one event a line.

    Without Q it finds Tenantry's own notes, too: 'NOT event.provider:tenantry' leaves them out.
    """
    shown = fields.parsed(columns)
    asked = limit if json else limit + 1  # one more says whether there is more
    params = {"q": q, "since": since, "until": until, "sort": sort.value, "limit": min(asked, 1000)}
    found = Client(Settings()).pages(path_of(tenant, "events"), params, name="events", most=asked)
    if json:
        for event in found:
            print_json(event)
    elif events := list(found):
        own = columns == fields.DEFAULT  # what somebody asks for is all shown
        rows = [fields.row(event, shown) for event in events[:limit]]
        print_table(shown, rows, shorten=_LONG if own else (), drop=fields.LESS if own else ())
        if len(events) > limit:
            _note(f"only the {sort.value} {limit:,} are shown: --limit N shows more, and tenantry export writes all to a file")
    else:
        _note("no events match")


def tail(
    tenant: Tenant,
    q: Q = "",
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as events arrive, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("-n", min=0, max=1000, help="Begin with the last so many events.")] = 10,
    columns: Columns = fields.DEFAULT,
    json: Json = False,
) -> None:
    """Shows the last events of a tenant's log, and with -f those to come. With --json, it prints one event a line.

    A connection that is cut is made again, behind the last event: none is lost, and none comes twice.
    """
    shown = fields.parsed(columns)
    client = Client(Settings())
    path = path_of(tenant, "events")
    begun = client.ask("GET", f"{path}/tail", params={"after": "latest", "q": q})
    if lines:
        last = client.ask("GET", path, params={"q": q, "limit": lines})["events"]
        if not (last or follow or json):
            _note("no events match")
        for event in reversed(last):
            # What came in between is the first that follows.
            if not follow or event["log.position"] <= begun["indexed_up_to"]:
                _print_event(event, shown, json)
    if follow:
        for event in _followed(client, f"{path}/tail", {"after": begun["next"], "q": q}):
            _print_event(event, shown, json)


def _followed(client: Client, path: str, params: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The events of a stream, for ever; what keeps it from going on is told on the standard error."""
    for frame in client.follow(path, params, lambda why: _note(f"the stream was cut ({why}); going on where it was")):
        if frame.event == "problem":
            problem = msgspec.json.decode(frame.data)
            if problem["status"] in _FOR_GOOD:
                raise ServiceError(problem["detail"])
            _note(problem["detail"])
        elif frame.data:
            yield msgspec.json.decode(frame.data)


def _note(text: str) -> None:
    err.print(f"tenantry: {printable(text)}", style="yellow", soft_wrap=True)


def _print_event(event: Mapping[str, Any], columns: Sequence[str], json: bool) -> None:
    if json:
        print_json(event)
    else:
        out.print(Text("  ").join(coloured(value) for value in fields.row(event, columns) if value), soft_wrap=True)
