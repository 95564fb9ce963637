"""`tenantry dashboards build`: makes boards, alert rules and saved objects for Grafana, Prometheus and OpenSearch Dashboards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer

from dashboards.boards.build import EXAMPLE, files, stale, write
from services.cli.app import Json
from services.cli.output import err, fail, out, print_json
from services.errors import SettingsError
from services.settings import Settings
from streams.scope import check_tenant_id

_PREFIX: Final = "tenantry"
_OUT: Final = Path("deploy")

dashboards = typer.Typer(help="Makes boards, alerts and saved objects for other tools.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(dashboards, name="dashboards")


@dashboards.callback()
def _group() -> None:
    """Makes boards for Grafana, alerts for Prometheus, and saved objects for OpenSearch Dashboards."""


@dashboards.command()
def build(
    directory: Annotated[Path, typer.Option("--out", help="The directory; what else is there is left alone.")] = _OUT,
    tenant: Annotated[
        list[str] | None, typer.Option("--tenant", help="Whose saved objects are made, instead of an example's; may be given repeatedly.")
    ] = None,
    docs: Annotated[str, typer.Option("--docs", help="The URL where docs/ is published, for the links of alerts to their runbooks.")] = "",
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 if a file is missing or stale.")] = False,
    json: Json = False,
) -> None:
    """Makes the files from the declared metrics and fields. Needs no running service.

    The index of a tenant is called as TENANTRY_INDEX_URL has it, if that names an OpenSearch, and else as by default.
    """
    made = files([check_tenant_id(one) for one in tenant or [EXAMPLE]], _alias(Settings()), docs)
    found = stale(made, directory) if check else _written(lambda: write(made, directory), directory)
    if json:
        print_json({"made": [str(directory / name) for name in made], "stale" if check else "written": [str(path) for path in found]})
    else:
        for path in found:
            (err if check else out).print(f"{path} is {'missing or stale' if check else 'written'}", soft_wrap=True)
    if check and found:
        raise typer.Exit(fail("run `tenantry dashboards build` with the same options, and commit what it writes"))
    if not json:
        out.print(f"{len(made)} files in {directory} are as they should be.", soft_wrap=True)


def _alias(settings: Settings) -> Callable[[str], str]:
    """By which alias a tenant's events are searched."""
    from streams.index_opensearch.connection import OpenSearchConnection  # noqa: PLC0415 -- OpenSearch's client takes a second to import
    from streams.index_opensearch.names import Names  # noqa: PLC0415

    prefix, pools = _PREFIX, 2
    if urlsplit(settings.index_url).scheme == "opensearch":
        try:
            connection = OpenSearchConnection.from_url(settings.index_url, settings.secret("opensearch_password") or "")
        except ValueError as error:
            raise SettingsError(f"TENANTRY_INDEX_URL: {error}") from error
        prefix, pools = connection.prefix, connection.pools
    return Names(prefix, pools).alias


def _written(writing: Callable[[], list[Path]], directory: Path) -> list[Path]:
    try:
        return writing()
    except OSError as error:
        raise SettingsError(f"--out {directory} can't be written ({error.strerror}); name a writable directory") from error
