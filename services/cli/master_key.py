"""`tenantry master-key`: the key under which the embedded key store keeps all others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keyvault.master_key import MasterKey
from keyvault.master_key_rotation import Rotated, rotate_file, rotate_to
from services.backup.places import Places
from services.cli.app import Json
from services.cli.output import out, print_json, progress_bar
from services.errors import Invalid, SettingsError
from services.settings import Settings

master_key = typer.Typer(help="Rotates the master key of the embedded key store.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.add_typer(master_key, name="master-key")


@master_key.callback()
def _group() -> None:
    """Rotates the master key of the embedded key store."""


@master_key.command()
def rotate(
    to: Annotated[
        Path | None,
        typer.Option(help="A file for the new master key, made if it is not there. By default the new one takes the place of the old."),
    ] = None,
    json: Json = False,
) -> None:
    """Encrypts every key anew under another master key. Stop the service first. If it is interrupted, run it again."""
    settings = Settings()
    places = Places.of(settings)
    if places.keys is None:
        raise Invalid(f"the keys are in {places.keys_engine}, which rotates its own; there is no master key here")
    if not places.keys.is_dir():
        raise SettingsError(f"there is no key store {places.keys}; look at TENANTRY_DATA and TENANTRY_KEYS_URL")
    try:
        rotated = _rotate(settings, places.keys, places.master_key, to)
    except OSError as error:
        raise SettingsError(f"the master key was not rotated to the end ({error.strerror}: {error.filename}); run it again") from error
    if json:
        print_json({"keys": rotated.keys, "master_key": rotated.id, "kept": str(rotated.kept) if rotated.kept else None})
        return
    out.print(f"{rotated.keys} keys are under the new master key {rotated.id}", soft_wrap=True)
    if rotated.kept is not None:
        out.print(
            f"The old one is kept as {rotated.kept}: backups made until now need it. Move both to where your backups are not.",
            soft_wrap=True,
        )
    else:
        out.print(f"Before the next start, give the service the key in {to}. Backups made until now need the old one.", soft_wrap=True)


def _rotate(settings: Settings, directory: Path, file: Path | None, to: Path | None) -> Rotated:
    with progress_bar() as bar:
        task = bar.add_task("encrypting keys anew", total=None)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        if to is None:
            if file is None:
                raise Invalid(
                    "the master key is in TENANTRY_MASTER_KEY, which a command can't change; name a file for the new one with --to"
                )
            return rotate_file(directory, file, progress)
        old = MasterKey.from_text(settings.master_key.get_secret_value()) if settings.master_key else None
        if old is None:
            assert file is not None, "it is one or the other"
            old = MasterKey.from_file(file)
        return rotate_to(directory, old, MasterKey.from_file(to, create=True), progress)
