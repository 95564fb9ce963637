"""The operator's first token: made on the first start, left in a file that only its owner can read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from services.access.scopes import Scope
from services.access.secret import Secret, hashed, new_secret, token_id
from services.access.tokens import PLATFORM, Tokens, minted
from services.errors import SettingsError
from streams.control_log import ControlEvent, ControlLog


async def ensure_operator(control: ControlLog, tokens: Tokens, file: Path, now: int) -> None:
    """Makes sure that there is an operator's token. Crashes in between, and nodes that start at once, end with one that works.

    The file comes first, then the control log: a token that is in the log only could never be used. If an operator's token is
    known, nothing happens, whether the file is still there or was moved to a safer place.

    Raises:
        SettingsError: the file can't be written, or holds something else.
    """
    if tokens.of(None):
        return
    secret = _kept_or_new(file)

    async def decide() -> Sequence[ControlEvent]:
        return [] if tokens.of(None) else [minted(secret, "operator", frozenset(Scope), "tenantry", now)]

    await control.commit(PLATFORM, decide)


async def replace_operator(control: ControlLog, tokens: Tokens, file: Path, now: int) -> Secret:
    """Makes a new operator's token and revokes all others, on every node from this moment on: for when one was lost or got about.

    Whoever can write the log may do this; no token is asked for. The new one waits beside the file until the log has it: after a crash, the
    same call goes on with it.

    Raises:
        SettingsError: the file can't be written.
    """
    waiting = file.with_name(f"{file.name}.new")
    secret = _kept_or_new(waiting)

    async def decide() -> Sequence[ControlEvent]:
        known = tokens.of(None)
        revoked = [
            ControlEvent(type="token_revoked", at=now, by="tenantry", data={"id": token.id}) for token in known if token.id != secret.id
        ]
        new = [] if any(token.id == secret.id for token in known) else [minted(secret, "operator", frozenset(Scope), "tenantry", now)]
        return [*new, *revoked]

    await control.commit(PLATFORM, decide)
    try:
        waiting.replace(file)
    except OSError as error:
        raise SettingsError(
            f"TENANTRY_DATA: the operator's token can't be written to {file} ({error.strerror}); it is in {waiting}"
        ) from error
    return secret


def _kept_or_new(file: Path) -> Secret:
    secret = new_secret()
    temporary = file.with_name(f".{file.name}.{secret.id}")
    try:
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
            output.write(secret.text + "\n")
            output.flush()
            os.fsync(output.fileno())
        try:
            os.link(temporary, file)  # whole or not at all, and only if there is none
        except FileExistsError:
            text = file.read_text().strip()
            identifier = token_id(text)
            if identifier is None:
                raise SettingsError(f"{file} holds no token; remove it, and a new one is made") from None
            secret = Secret(identifier, text, hashed(text))
        finally:
            temporary.unlink()
    except OSError as error:
        raise SettingsError(f"TENANTRY_DATA: the operator's token can't be written to {file} ({error.strerror})") from error
    return secret
