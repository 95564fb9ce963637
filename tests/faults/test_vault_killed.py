"""`kill -9` of Vault while two processes create the same keys at once: one key for each name, and both have it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import Iterator
from pathlib import Path

import pytest

from keyvault import algorithms
from keyvault.errors import KeyStoreUnavailable
from keyvault.jwk import PublicJwk
from keyvault.store_vault import VaultKeyStore
from tests.faults.chance import chance
from tests.keyvault.store_vault.mounted import Mounted, named
from tests.servers.fixtures import made
from tests.servers.openbao import OpenBao

pytestmark = pytest.mark.allow_hosts(["127.0.0.1", "localhost"])
KEYS = 200
PATIENCE = 120.0


@pytest.fixture
def bao() -> Iterator[OpenBao]:
    with made(OpenBao, "openbao") as server:
        yield server


async def creating(mounted: Mounted) -> Process:
    """A process that creates keys 1 to KEYS, all at once, each until it is there, and tells of each."""
    return await create_subprocess_exec(
        sys.executable, "-X", "faulthandler", "-m", __name__, mounted.url, mounted.role_id,
        cwd=Path(__file__).parents[2], stdout=PIPE, env={**os.environ, "SECRET_ID": mounted.secret_id},
    )  # fmt: skip


@pytest.mark.parametrize("kills", [2, pytest.param(12, marks=pytest.mark.long)])
async def test_one_key_for_each_name(bao: OpenBao, kills: int) -> None:
    mounted, dice = Mounted(bao), chance()
    for round_ in range(kills // 2):
        mounted = Mounted(bao) if round_ else mounted
        processes = [await creating(mounted) for _ in range(2)]
        told: list[dict[int, str]] = [{}, {}]
        moments = iter([*sorted(dice.sample(range(2 * KEYS), 2)), -1])
        next_kill = next(moments)
        async with asyncio.timeout(PATIENCE):
            lines = [asyncio.create_task(line_of(process)) for process in processes]
            while any(not line.done() or line.result() for line in lines):
                await asyncio.wait([line for line in lines if not line.done() or line.result()], return_when=asyncio.FIRST_COMPLETED)
                for n, line in enumerate(lines):
                    if line.done() and line.result():
                        ordinal, kid = json.loads(line.result())
                        told[n][ordinal] = kid
                        lines[n] = asyncio.create_task(line_of(processes[n]))
                if len(told[0]) + len(told[1]) > next_kill >= 0:
                    next_kill = next(moments)
                    bao.kill()
                    bao.start()
            assert [await process.wait() for process in processes] == [0, 0]
        assert told[0] == told[1]
        assert len(set(told[0].values())) == len(told[0]) == KEYS
        await they_are_there(mounted, told[0])


async def line_of(process: Process) -> bytes:
    assert process.stdout is not None
    return await process.stdout.readline()


async def they_are_there(mounted: Mounted, told: dict[int, str]) -> None:
    store = VaultKeyStore(mounted.connection())

    async def check(ordinal: int, kid: str) -> None:
        public = await store.public_key(named(ordinal))
        [signature] = await store.sign(named(ordinal), [b"message"])
        assert public.kid == kid
        assert algorithms.verify(public.alg, public.public_key(), b"message", signature)

    await asyncio.gather(*(check(*pair) for pair in told.items()))
    await store.close()


async def _main(url: str, role_id: str) -> None:
    store = VaultKeyStore.open(url, role_id=role_id, secret_id=os.environ["SECRET_ID"])

    async def create(ordinal: int) -> None:
        made: PublicJwk | None = None
        while made is None:
            try:
                made = await store.create(named(ordinal))
            except KeyStoreUnavailable:
                await asyncio.sleep(0.05)  # it is being started again
        print(json.dumps((ordinal, made.kid)), flush=True)

    await asyncio.gather(*(create(ordinal) for ordinal in range(1, KEYS + 1)))
    await store.close()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
