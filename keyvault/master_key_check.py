"""The check of a key store: which master key its keys are encrypted under, so that a wrong one never encrypts anything.

A file beside the keys holds a known text, sealed under the master key, and the key's id. While the master key is being rotated there are
two of them, the new one's as `next`: then keys may be under either.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from keyvault import base64url, durable_file, key_file
from keyvault.errors import KeyStoreConflict, MasterKeyError
from keyvault.master_key import NONCE_BYTES, MasterKey

CHECK: Final = "master-key.check"
"""The file's name. No tenant id has a dot, so no tenant's directory can have it."""

_TEXT: Final = b"tenantry master key"


def ensure(directory: Path, master: MasterKey) -> None:
    """Compares the master key with the store's; a store that has none yet takes this one.

    Raises:
        MasterKeyError: it is another one, or a rotation of it was interrupted.
        KeyStoreConflict: the check was altered.
    """
    path = directory / CHECK
    if not path.exists():
        if (key := any_key(directory)) is not None and not key_file.opens(master, key.read_bytes()):
            raise wrong(directory)
        durable_file.create_once(path, _encoded(_sealed(master)))
    check = _read(directory)
    if not _is_of(check, master, path):
        raise wrong(directory)
    if "next" in check:
        raise MasterKeyError(
            f"a rotation of the master key of {directory} was interrupted; run `tenantry master-key rotate` again, as it was, to finish it"
        )


def fits(directory: Path, master: MasterKey) -> bool:
    """Whether this is the master key of the store, or one of the two during a rotation.

    Raises:
        KeyStoreConflict: the check was altered.
    """
    if not (directory / CHECK).exists():
        return (key := any_key(directory)) is None or key_file.opens(master, key.read_bytes())
    check = _read(directory)
    return any(_is_of(one, master, directory / CHECK) for one in (check, check.get("next")) if one is not None)


def master_key_id(directory: Path) -> str | None:
    """The id of the store's master key, if the check says it.

    Raises:
        MasterKeyError: there are two, because a rotation was interrupted.
        KeyStoreConflict: the check was altered.
    """
    if not (directory / CHECK).exists():
        return None
    check = _read(directory)
    if "next" in check:
        raise MasterKeyError(f"a rotation of the master key of {directory} was interrupted; finish it with `tenantry master-key rotate`")
    return str(check["id"]) if "id" in check else None


def begin(directory: Path, old: MasterKey, new: MasterKey) -> None:
    """Says that keys may be under either from now on."""
    durable_file.replace(directory / CHECK, _encoded({**_sealed(old), "next": _sealed(new)}))


def finish(directory: Path, new: MasterKey) -> None:
    """Says that all keys are under the new one."""
    durable_file.replace(directory / CHECK, _encoded(_sealed(new)))


def any_key(directory: Path) -> Path | None:
    """The file of some key that was not destroyed."""
    return next((path for path in directory.glob("*/*.key") if not key_file.is_tombstone(path.read_bytes())), None)


def wrong(directory: Path) -> MasterKeyError:
    """What a wrong master key is answered with."""
    return MasterKeyError(
        f"the keys in {directory} are encrypted under another master key; give the one with which this directory was last used"
    )


def _sealed(master: MasterKey) -> dict[str, Any]:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return {"version": 1, "id": master.id, "nonce": nonce.hex(), "check": base64url.encode(master.seal(nonce, _TEXT, b""))}


def _encoded(check: Mapping[str, Any]) -> bytes:
    return json.dumps(check).encode("ascii")


def _read(directory: Path) -> dict[str, Any]:
    try:
        check = json.loads((directory / CHECK).read_bytes())
    except ValueError as error:
        raise _altered(directory / CHECK) from error
    if not isinstance(check, dict):
        raise _altered(directory / CHECK)
    return check


def _is_of(check: Any, master: MasterKey, path: Path) -> bool:
    try:
        return master.unseal(bytes.fromhex(check["nonce"]), base64url.decode(check["check"]), b"") == _TEXT
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _altered(path) from error


def _altered(path: Path) -> KeyStoreConflict:
    return KeyStoreConflict(f"{path} was altered; restore it from its backup")
