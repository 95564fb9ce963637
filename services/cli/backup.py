"""`tenantry backup` and `tenantry restore`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import TaskID

from keyvault.master_key import MasterKey
from services.backup.make import make
from services.backup.places import Places
from services.backup.progress import Progress
from services.backup.restore import Restored, verify
from services.backup.restore import restore as put_back
from services.cli.app import Json
from services.cli.output import out, print_json, progress_bar
from services.settings import Settings

File = Annotated[Path, typer.Argument(help="The file of the backup.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(backup)
    app.command()(restore)


def backup(
    file: File,
    replace: Annotated[bool, typer.Option("--replace", help="Put the new backup in place of the file, if there is one.")] = False,
    json: Json = False,
) -> None:
    """Copies the event log, the keys and the operator's token into one file, while the service runs.

    The search indexes are not in it, since they are built anew from the log; nor is the master key, which is to be kept elsewhere, nor
    what Kafka and Vault hold. Whoever has the file can read every tenant's events and act as the operator: keep it like the data.
    """
    places = Places.of(Settings())
    with _Shown() as progress:
        made = make(places, file, replace=replace, progress=progress)
    notes = places.elsewhere()
    if json:
        print_json({"file": str(file), **asdict(made), "notes": notes})
        return
    out.print(f"{file}: {_size(made.size)}, with {_content(made.log, made.keys, token=made.token)}", soft_wrap=True)
    for note in notes:
        out.print(note, soft_wrap=True)


def restore(
    file: File,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only read the backup and compare its checksums.")] = False,
    json: Json = False,
) -> None:
    """Puts a backup into an empty data directory, all of it or nothing.

    The master key of that time has to be there before the service starts. The first start builds the search indexes anew from the log.
    What was revoked, compromised or deleted after the backup was made is as it was before: do it again.
    """
    settings = Settings()
    places = Places.of(settings)
    with _Shown() as progress:
        restored = verify(file, progress) if dry_run else put_back(places, file, master=_master(settings, places), progress=progress)
    notes = [] if dry_run else _next_steps(places, restored)
    if json:
        print_json({"file": str(file), "restored": not dry_run, **asdict(restored), "notes": notes})
        return
    said = "is whole, with" if dry_run else f"restored into {places.data}:"
    out.print(f"{file}, made at {restored.made_at}: {said} {_content(restored.log, restored.keys, token=restored.token)}", soft_wrap=True)
    for note in notes:
        out.print(note, soft_wrap=True)


class _Shown(Progress):
    """A bar for each thing that is done."""

    def __init__(self) -> None:
        self._bar = progress_bar()
        self._task: TaskID | None = None

    def expect(self, what: str, total: int) -> None:
        self._task = self._bar.add_task(what, total=total)

    def advance(self, count: int) -> None:
        if self._task is not None:
            self._bar.advance(self._task, count)

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _master(settings: Settings, places: Places) -> MasterKey | None:
    """The master key, if it is here already."""
    if settings.master_key is not None:
        return MasterKey.from_text(settings.master_key.get_secret_value())
    return MasterKey.from_file(places.master_key) if places.master_key is not None and places.master_key.exists() else None


def _next_steps(places: Places, restored: Restored) -> list[str]:
    said = []
    if restored.master_key is not None and places.master_key is not None and not places.master_key.exists():
        said.append(f"Before the start, put the master key of that time ({restored.master_key}) into {places.master_key}, mode 0600.")
    if places.index is not None:
        said.append("The first start builds the search indexes anew from the log.")
    if restored.log is not None:
        said.append(f"What was revoked, compromised or deleted after {restored.made_at} is as it was before: do it again.")
    return said


def _content(log: int | None, keys: int | None, *, token: bool) -> str:
    said = [f"an event log of {_size(log)}"] if log is not None else []
    said += [f"{keys} keys"] if keys is not None else []
    said += ["the operator's token"] if token else []
    return ", ".join(said) or "nothing"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 10**9 else f"{count / 1e6:.1f} MB"
