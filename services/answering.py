"""Whether the engines answer, asked without changing anything."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import Final

import structlog

from keyvault.algorithms import Algorithm
from keyvault.errors import KeyNotFound, KeyVaultError
from keyvault.key_store import KeyName, KeyStore
from streams.errors import IndexMissing, StreamsError
from streams.scope import TenantScope
from streams.search_index import SearchIndex

PATIENCE_SECONDS: Final = 30.0
_NOBODY: Final = TenantScope("doctor-looks-for-nobody")
_log = structlog.get_logger(__name__)


async def index_answers(index: SearchIndex) -> None:
    """Returns if the search index answers, and lets us in.

    Raises:
        IndexUnavailable: it does not; the message says what to do.
    """
    with suppress(IndexMissing):  # which only an engine that answers can tell
        await index.check(_NOBODY)


async def store_answers(store: KeyStore) -> None:
    """Returns if the key store answers, and lets us in.

    Raises:
        KeyStoreError: it does not; the message says what to do.
    """
    with suppress(KeyNotFound):
        await store.public_key(KeyName(_NOBODY, 0, Algorithm.ES256))


async def warn(index: SearchIndex, store: KeyStore) -> None:
    """Warns of an engine that does not answer: a service starts without, and what needs it is answered with 503 until it is there."""
    asked = (("search index", partial(index_answers, index)), ("key store", partial(store_answers, store)))
    for name, ask in asked:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await ask()
        except TimeoutError:
            _log.warning("engine_does_not_answer", engine=name, error=f"no answer within {PATIENCE_SECONDS:.0f} s")
        except (StreamsError, KeyVaultError) as error:
            _log.warning("engine_does_not_answer", engine=name, error=str(error))
