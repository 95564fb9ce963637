"""The file that `tenantry export` writes: whole under its name or not there, nobody else's, and never in place of another unasked."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.cli import export as terminal
from services.cli.client import Body
from services.errors import Invalid


def saved(output: Path, parts: Iterator[bytes], *, replace: bool = True) -> dict[str, Any]:
    """What the terminal tells of an export that it has written."""
    return terminal._save(Body({}, parts), terminal.Format.NDJSON, output, replace=replace)


def test_two_exports_to_one_file_at_once_do_not_mix(tmp_path: Path) -> None:
    output = tmp_path / "events.ndjson"

    def slow() -> Iterator[bytes]:
        yield b"1\n"
        saved(output, iter([b"of another one\n"]))
        assert output.read_bytes() == b"of another one\n"
        yield b"2\n"

    told = saved(output, slow())
    assert output.read_bytes() == b"1\n2\n"
    assert told["sha256"] == hashlib.sha256(b"1\n2\n").hexdigest()
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    output = tmp_path / "events.ndjson"

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")  # as on a FAT file system

    if not links:
        monkeypatch.setattr(os, "link", refuse)

    def slow() -> Iterator[bytes]:
        yield b"1\n"
        output.write_bytes(b"theirs\n")
        yield b"2\n"

    with pytest.raises(Invalid, match="is there already; give another name, or --replace"):
        saved(output, slow(), replace=False)
    assert output.read_bytes() == b"theirs\n"
    assert list(tmp_path.iterdir()) == [output]
    output.unlink()
    saved(output, iter([b"1\n"]), replace=False)
    assert (output.read_bytes(), list(tmp_path.iterdir())) == (b"1\n", [output])


def test_an_export_is_written_to_a_new_file_for_its_owner_alone(tmp_path: Path) -> None:
    output, theirs = tmp_path / "events.ndjson", tmp_path / "theirs"
    theirs.write_bytes(b"theirs")
    theirs.chmod(0o644)
    for name in ("events.ndjson.part", ".events.ndjson.part"):
        (tmp_path / name).symlink_to(theirs)
    before = set(tmp_path.iterdir())

    def watched() -> Iterator[bytes]:
        [unfinished] = set(tmp_path.iterdir()) - before
        assert unfinished.stat().st_mode & 0o777 == 0o600
        yield b"1\n"

    saved(output, watched())
    assert (output.is_symlink(), output.stat().st_mode & 0o777) == (False, 0o600)
    assert theirs.read_bytes() == b"theirs"


def test_an_export_that_can_not_be_finished_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"1\n"
        raise OSError(28, "No space left on device")

    with pytest.raises(Invalid, match="No space left"):
        saved(tmp_path / "events.ndjson", broken())
    assert not list(tmp_path.iterdir())
    with pytest.raises(Invalid, match="No such file or directory"):
        saved(tmp_path / "nowhere" / "events.ndjson", iter([]))
