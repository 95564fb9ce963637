"""The master key: made once, read from a file or from text, and never shown."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from base64 import b64encode, urlsafe_b64encode
from pathlib import Path

import pytest

from keyvault.errors import MasterKeyError
from keyvault.master_key import MasterKey

KEY = bytes(range(224, 256))
NONCE = bytes(12)


def same(one: MasterKey, other: MasterKey) -> bool:
    return other.unseal(NONCE, one.seal(NONCE, b"text", b""), b"") == b"text"


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_text_may_be_base64_or_base64url(encode: type[bytes]) -> None:
    text = encode(KEY).decode()
    for spelling in (text, text.rstrip("="), f" {text}\n"):
        assert same(MasterKey.from_text(spelling), MasterKey(KEY))


@pytest.mark.parametrize("text", ["", "short", "ä" * 43, "A" * 42, "A" * 44, "!" * 43, "secret " * 10])
def test_other_text_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(MasterKeyError, match="openssl rand -base64 32") as raised:
        MasterKey.from_text(text)
    assert not text or text not in str(raised.value)


def test_a_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "master.key"
    first = MasterKey.from_file(path, create=True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert same(first, MasterKey.from_file(path, create=True))
    assert same(first, MasterKey.from_file(path))
    assert [file.name for file in path.parent.iterdir()] == ["master.key"]


async def test_processes_that_start_at_the_same_time_get_the_same_key(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from keyvault.master_key import MasterKey;"
        "print(MasterKey.from_file(pathlib.Path(sys.argv[1]), create=True).seal(bytes(12), b'text', b'').hex())"
    )
    path = tmp_path / "master.key"
    root = Path(__file__).parents[2]
    started = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(path), cwd=root, stdout=subprocess.PIPE) for _ in range(6)
    ]
    outputs = [(await process.communicate())[0] for process in started]
    assert len(set(outputs)) == 1
    assert outputs[0].strip() == MasterKey.from_file(path).seal(NONCE, b"text", b"").hex().encode()


def test_a_missing_file_is_said_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyError, match="is missing; restore it"):
        MasterKey.from_file(tmp_path / "master.key")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    MasterKey.from_file(path, create=True)
    path.chmod(mode)
    with pytest.raises(MasterKeyError, match=r"run `chmod 600 .*master\.key`"):
        MasterKey.from_file(path)


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 43])
def test_a_malformed_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "master.key"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(MasterKeyError, match=r"master\.key: "):
        MasterKey.from_file(path)


def test_a_directory_in_its_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyError, match="can't be read"):
        MasterKey.from_file(tmp_path)


def test_the_key_is_not_shown() -> None:
    key = MasterKey(KEY)
    assert repr(key) == str(key) == "MasterKey(…)"
    assert not hasattr(key, "__dict__")


def test_the_mask_of_the_process_does_not_matter(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        MasterKey.from_file(tmp_path / "master.key", create=True)
    finally:
        os.umask(before)
    assert (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600
