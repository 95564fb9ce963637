"""`Renewal`: a thread that keeps the token alive while nobody asks for anything."""

from __future__ import annotations

import math
from threading import Event, Thread
from time import monotonic
from typing import Final

import structlog

from keyvault.errors import KeyStoreUnavailable
from keyvault.store_vault.login import Login

_log = structlog.get_logger(__name__)
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0  # seconds between attempts while Vault is away
_LONGEST_SLEEP: Final = 3600.0


class Renewal:
    """Renews the token at two thirds of its life, and tries again until it works."""

    def __init__(self, login: Login, *, at_once: bool) -> None:
        """Starts the thread.

        Args:
            login: whose token it is.
            at_once: whether there is a token already, whose life is to be looked up; else it waits for the first login.
        """
        self._login = login
        self._at_once = at_once
        self._ended = False
        self._wake: Event = login.changed
        self._thread = Thread(target=self._run, name="vault-renewal", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Asks the thread to end; it does when Vault has answered what it is asking, if anything."""
        self._ended = True
        self._wake.set()

    def _run(self) -> None:
        wait = _FIRST_WAIT
        while not self._ended:
            try:
                sleep = self._step()
                wait = _FIRST_WAIT
            except KeyStoreUnavailable as error:
                _log.warning("vault_token_not_renewed", error=str(error))
                sleep, wait = wait, min(2 * wait, _LONGEST_WAIT)
            except Exception as error:  # noqa: BLE001 -- nobody would see that the thread had ended
                _log.error("vault_token_not_renewed", error=repr(error))  # no traceback: some loggers show its variables
                sleep = wait = _LONGEST_WAIT
            self._wake.wait(sleep)
            self._wake.clear()

    def _step(self) -> float:
        """Does what is due; the seconds until something is."""
        held = self._login.held
        if held is None:
            if not self._at_once:
                return _LONGEST_SLEEP
            held = self._login.lease()
        if monotonic() >= held.renew_at:
            self._login.renew()
            held = self._login.held or held
        return max(0.0, min(held.renew_at - monotonic(), _LONGEST_SLEEP)) if held.seconds < math.inf else _LONGEST_SLEEP
