"""The embedded `KeyStore`: a directory of encrypted files, one for each key."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Self, TypeVar

from keyvault import algorithms, durable_file, key_file, master_key_check
from keyvault.algorithms import PrivateKey
from keyvault.errors import KeyNotFound, KeyStoreConflict, KeyStoreUnavailable, MasterKeyError
from keyvault.jwk import PublicJwk
from keyvault.key_file import OpenedKey
from keyvault.key_store import KeyName, KeyStore
from keyvault.master_key import MasterKey
from keyvault.master_key_check import CHECK, any_key
from keyvault.master_key_rotation import next_file, rotate_file
from keyvault.store_use import StoreUse

_T = TypeVar("_T")
_MAX_LOADED = 1024
_THREADS = 4

# What the file system says of a file: it changes when another process destroys the key.
_Identity = tuple[int, int, int]


class FileKeyStore(KeyStore):
    """Keys as files `<directory>/<tenant>/<number>-<algorithm>.key`, encrypted under a master key.

    Any number of processes may use the directory at once; it must be on one machine's file system with hard links. A private key that
    was used stays in memory (at most 1,024 of them) for as long as its file stays as it is: that is looked up at each signature.
    """

    def __init__(self, directory: Path, master_key: MasterKey) -> None:
        """Opens the store, creates it if there is none.

        Raises:
            MasterKeyError: the keys in it are encrypted under another master key.
            KeyStoreUnavailable: the directory can't be read or written, or its master key is being rotated.
        """
        self._directory = directory
        self._master = master_key
        self._loaded: OrderedDict[KeyName, tuple[_Identity, OpenedKey]] = OrderedDict()
        self._lock = Lock()
        self._closed = False
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="key-store")
        try:
            durable_file.make_directory(directory)
            self._use = StoreUse(directory)
            try:
                master_key_check.ensure(directory, master_key)
                for folder in directory.iterdir():
                    if folder.is_dir():
                        durable_file.sweep(folder)
            except BaseException:
                self._use.end()
                raise
        except OSError as error:
            raise _unavailable(directory, error) from error

    @classmethod
    def open(cls, directory: Path, *, master_key_file: Path | None = None, master_key_text: str | None = None) -> Self:
        """Opens the store with a master key from the environment (`master_key_text`) or else from a file.

        The file is created on the first start, and only then: if the store has keys already, a missing file is an error.

        Raises:
            MasterKeyError: there is none, it is malformed or wrong, or others may read its file.
            KeyStoreUnavailable: the directory can't be read or written.
        """
        if master_key_text is not None:
            return cls(directory, MasterKey.from_text(master_key_text))
        if master_key_file is None:
            raise MasterKeyError("there is no master key: name a file, or give the key itself")
        try:
            if next_file(master_key_file).exists():
                rotate_file(directory, master_key_file)  # a rotation that was interrupted
            first_start = not (directory / CHECK).exists() and any_key(directory) is None
        except OSError as error:
            raise _unavailable(directory, error) from error
        return cls(directory, MasterKey.from_file(master_key_file, create=first_start))

    async def create(self, name: KeyName) -> PublicJwk:
        return await self._run(lambda: self._create(name))

    async def adopt(self, name: KeyName, private: PrivateKey) -> PublicJwk:
        return await self._run(lambda: self._adopt(name, private))

    async def public_key(self, name: KeyName) -> PublicJwk:
        return await self._run(lambda: self._load(name).jwk)

    async def sign(self, name: KeyName, messages: Sequence[bytes]) -> Sequence[bytes]:
        return await self._run(lambda: self._sign(name, messages))

    async def destroy(self, name: KeyName) -> None:
        await self._run(lambda: self._destroy(name))

    async def close(self) -> None:
        self._closed = True
        await asyncio.to_thread(self._threads.shutdown)
        self._use.end()
        with self._lock:
            self._loaded.clear()

    def _create(self, name: KeyName) -> PublicJwk:
        return self._keep(name, lambda: algorithms.generate(name.algorithm))

    def _adopt(self, name: KeyName, private: PrivateKey) -> PublicJwk:
        kept = self._keep(name, lambda: private)
        if kept.public_key() != private.public_key():
            raise KeyStoreConflict(f"the key store holds another key under {name}; remove it, or rename it")
        return kept

    def _keep(self, name: KeyName, made: Callable[[], PrivateKey]) -> PublicJwk:
        path = self._path(name)
        if not path.exists():
            durable_file.make_directory(path.parent)
            content = key_file.seal(self._master, name, made())
            durable_file.create_once(path, content)
        else:
            durable_file.sync_directory(path.parent)  # whoever created it may have been killed before doing so
        return self._load(name).jwk  # the winner's, if there was a race; and proof that it can be read

    def _sign(self, name: KeyName, messages: Sequence[bytes]) -> Sequence[bytes]:
        key = self._load(name)
        return [algorithms.sign(name.algorithm, key.private, message) for message in messages]

    def _destroy(self, name: KeyName) -> None:
        path = self._path(name)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise _missing(name) from None
        if not key_file.is_tombstone(content):
            durable_file.replace(path, key_file.tombstone(name))
        with self._lock:
            self._loaded.pop(name, None)

    def _load(self, name: KeyName) -> OpenedKey:
        path = self._path(name)
        try:
            identity = _identity(path.stat())
            with self._lock:
                if (loaded := self._loaded.get(name)) is not None and loaded[0] == identity:
                    self._loaded.move_to_end(name)
                    return loaded[1]
            with path.open("rb") as file:
                identity = _identity(os.fstat(file.fileno()))
                content = file.read()
        except FileNotFoundError:
            raise _missing(name) from None
        key = key_file.unseal(self._master, name, content)
        with self._lock:
            self._loaded[name] = (identity, key)
            self._loaded.move_to_end(name)
            while len(self._loaded) > _MAX_LOADED:
                self._loaded.popitem(last=False)
        return key

    def _path(self, name: KeyName) -> Path:
        return self._directory / name.scope.tenant / f"{name.number}-{name.algorithm}.key"

    async def _run(self, work: Callable[[], _T]) -> _T:
        """Off the event loop: signing takes up to a millisecond, creating an RSA key a tenth of a second."""
        if self._closed:
            raise KeyStoreUnavailable(f"the key store {self._directory} is closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except OSError as error:
            raise _unavailable(self._directory, error) from error


def _identity(status: os.stat_result) -> _Identity:
    return status.st_ino, status.st_mtime_ns, status.st_size


def _unavailable(directory: Path, error: OSError) -> KeyStoreUnavailable:
    return KeyStoreUnavailable(f"the key store {directory} can't be used now ({error.strerror}); nothing was changed")


def _missing(name: KeyName) -> KeyNotFound:
    return KeyNotFound(f"the key store has no key {name}")
