"""The master key of the embedded key store: all else in it is encrypted under this key."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keyvault import base64url, durable_file
from keyvault.errors import MasterKeyError

KEY_BYTES = 32  # AES-256
NONCE_BYTES = 12  # NIST SP 800-38D section 8.2.2: random nonces of 96 bits are good for 2^32 encryptions


class MasterKey:
    """Encrypts and decrypts with AES-256-GCM. The key itself can't be read back out of it."""

    __slots__ = ("_aead", "id")

    def __init__(self, key: bytes) -> None:
        """The key of these bytes.

        Raises:
            MasterKeyError: there are not exactly 32.
        """
        if len(key) != KEY_BYTES:
            raise MasterKeyError(f"a master key has {KEY_BYTES} bytes, not {len(key)}; make one with `openssl rand -base64 {KEY_BYTES}`")
        self._aead = AESGCM(key)
        self.id = hashlib.sha256(b"tenantry master key id" + key).hexdigest()[:8]
        """Names the key, and tells nothing else of it: which backup needs which."""

    def __repr__(self) -> str:
        return "MasterKey(…)"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The key of 32 bytes in base64url (or base64, as `openssl rand -base64 32` prints it).

        Raises:
            MasterKeyError: it is something else; the message never repeats it.
        """
        try:
            key = base64url.decode(re.sub(r"\s", "", text).rstrip("=").translate(str.maketrans("+/", "-_")))
        except ValueError:
            raise MasterKeyError(
                f"the master key is not base64url text of {KEY_BYTES} bytes; make one with `openssl rand -base64 {KEY_BYTES}`"
            ) from None  # the cause would quote nothing of the key, but there is nothing more to say either
        return cls(key)

    @classmethod
    def from_file(cls, path: Path, *, create: bool = False) -> Self:
        """The key in this file.

        Args:
            path: a file that only its owner may read, with the key in base64url.
            create: make a new key if there is no file. Processes that start at the same time get the same one.

        Raises:
            MasterKeyError: the file is missing, unreadable, malformed, or others may read it.
        """
        try:
            if create and not path.exists():
                durable_file.make_directory(path.parent)
                durable_file.create_once(path, f"{base64url.encode(secrets.token_bytes(KEY_BYTES))}\n".encode("ascii"))
            with path.open("rb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                content = file.read(1024)
        except FileNotFoundError:
            raise MasterKeyError(
                f"the master key file {path} is missing; restore it from its backup: without it the keys of this store can't be used"
            ) from None
        except OSError as error:
            raise MasterKeyError(f"the master key file {path} can't be read: {error.strerror}") from error
        if mode & 0o077:
            raise MasterKeyError(f"others may read the master key file {path} (mode {mode:04o}); run `chmod 600 {path}`")
        try:
            return cls.from_text(content.decode("ascii", errors="replace"))
        except MasterKeyError as error:
            raise MasterKeyError(f"{path}: {error}") from None

    def seal(self, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """Encrypts with a nonce that is never used again, and binds the ciphertext to the associated data."""
        return self._aead.encrypt(nonce, plaintext, associated)

    def unseal(self, nonce: bytes, ciphertext: bytes, associated: bytes) -> bytes | None:
        """What was sealed; None if it was sealed with another key, or anything of it was altered."""
        try:
            return self._aead.decrypt(nonce, ciphertext, associated)
        except InvalidTag:
            return None
