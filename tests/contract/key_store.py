"""What every `KeyStore` keeps: one suite, subclassed once for each adapter."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwk as jose_jwk
from joserfc import jws as jose_jws

from keyvault import algorithms, jws
from keyvault.algorithms import Algorithm, PrivateKey
from keyvault.errors import KeyDestroyed, KeyNotFound, KeyStoreConflict
from keyvault.jwk import PublicJwk
from keyvault.key_store import KeyName, KeyStore
from streams.scope import TenantScope

ROOT = Path(__file__).parents[2]
Open = Callable[[], Awaitable[KeyStore]]

ACME, GLOBEX = TenantScope("acme"), TenantScope("globex")


def name(ordinal: int = 1, algorithm: Algorithm = Algorithm.ES256, scope: TenantScope = ACME) -> KeyName:
    return KeyName(scope, ordinal, algorithm)


def imported(private: PrivateKey, algorithm: Algorithm = Algorithm.ES256, scope: TenantScope = ACME) -> KeyName:
    """The name of a key that was made elsewhere."""
    thumbprint = PublicJwk.from_public_key(private.public_key(), algorithm).thumbprint()
    return KeyName(scope, 0, algorithm, thumbprint)


@dataclass(frozen=True)
class Creators:
    """Processes that create keys 1 to n of acme in the same store, with ES256, and print each `kid` when `create` has returned.

    `python -m <module> <arguments…> <n>` must do so, with `create_keys`. Secrets go into the environment: lists of processes don't show it.
    """

    module: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    async def start(self, count: int) -> Process:
        return await create_subprocess_exec(
            sys.executable, "-m", self.module, *self.arguments, str(count), cwd=ROOT, stdout=PIPE, env={**os.environ, **self.environment}
        )


async def create_keys(store: KeyStore, count: int) -> None:
    for ordinal in range(1, count + 1):
        print(json.dumps((await store.create(name(ordinal))).kid), flush=True)
    await store.close()


class KeyStoreContract:
    """Subclasses give `opening`: a function that opens the same, at first empty, store as often as it is called."""

    @pytest.fixture
    def opening(self) -> Open:
        raise NotImplementedError

    @pytest.fixture
    def creators(self) -> Creators:
        """Processes that create keys in the same store."""
        raise NotImplementedError

    @pytest.fixture
    async def store(self, opening: Open) -> KeyStore:
        return await opening()

    @pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # RFC 9864 renames it; most clients know the old name only
    @pytest.mark.parametrize("algorithm", Algorithm)
    async def test_a_signature_verifies_with_the_public_half_here_and_elsewhere(self, store: KeyStore, algorithm: Algorithm) -> None:
        public = await store.create(name(algorithm=algorithm))
        signed = jws.signing_input(algorithm, public.kid, b'{"sub":"ada"}')
        [signature] = await store.sign(name(algorithm=algorithm), [signed])
        token = jws.compact(signed, signature)
        assert public.alg is algorithm
        assert algorithms.verify(algorithm, public.public_key(), signed, signature)
        assert jwt.decode(token, jwt.PyJWK.from_dict(public.to_dict()), algorithms=[algorithm]) == {"sub": "ada"}
        key = jose_jwk.import_key({**public.to_dict()})
        assert jose_jws.deserialize_compact(token, key, algorithms=[algorithm]).payload == b'{"sub":"ada"}'

    async def test_the_kid_is_the_thumbprint(self, store: KeyStore) -> None:
        public = await store.create(name())
        assert public.kid == public.thumbprint() == jose_jwk.import_key({**public.to_dict()}).thumbprint()

    async def test_messages_are_signed_in_their_order(self, store: KeyStore) -> None:
        public = await store.create(name())
        messages = [bytes([n]) * n for n in range(20)]
        signatures = await store.sign(name(), messages)
        assert len(signatures) == 20
        for message, signature in zip(messages, signatures, strict=True):
            assert algorithms.verify(Algorithm.ES256, public.public_key(), message, signature)
        assert list(await store.sign(name(), [])) == []

    async def test_creating_again_answers_the_same_key(self, store: KeyStore, opening: Open) -> None:
        first = await store.create(name())
        assert await store.create(name()) == first
        assert await store.public_key(name()) == first
        other = await opening()
        assert await other.create(name()) == first
        await store.close()
        assert await other.public_key(name()) == first

    async def test_creating_at_once_answers_one_key(self, opening: Open) -> None:
        stores = [await opening(), await opening()]
        created = await asyncio.gather(*(stores[n % 2].create(name()) for n in range(20)))
        assert len({public.kid for public in created}) == 1
        [signature] = await stores[0].sign(name(), [b"message"])
        assert algorithms.verify(Algorithm.ES256, created[0].public_key(), b"message", signature)

    async def test_names_do_not_mix(self, store: KeyStore) -> None:
        names = [name(), name(2), name(algorithm=Algorithm.EDDSA), name(scope=GLOBEX)]
        created = [await store.create(one) for one in names]
        assert len({public.kid for public in created}) == 4
        assert [await store.public_key(one) for one in names] == created

    async def test_a_key_is_its_tenants_only(self, store: KeyStore) -> None:
        await store.create(name())
        theirs = name(scope=GLOBEX)
        with pytest.raises(KeyNotFound):
            await store.public_key(theirs)
        with pytest.raises(KeyNotFound):
            await store.sign(theirs, [b"message"])
        with pytest.raises(KeyNotFound):
            await store.destroy(theirs)

    async def test_an_algorithm_is_part_of_the_name(self, store: KeyStore) -> None:
        await store.create(name(algorithm=Algorithm.RS256))
        with pytest.raises(KeyNotFound):
            await store.sign(name(algorithm=Algorithm.PS256), [b"message"])

    async def test_a_destroyed_key_is_gone_for_everybody_and_for_good(self, opening: Open) -> None:
        one, other = await opening(), await opening()
        await one.create(name())
        await other.sign(name(), [b"now it is in memory"])
        await one.destroy(name())
        for store in (one, other, await opening()):
            with pytest.raises(KeyNotFound):
                await store.sign(name(), [b"message"])
            with pytest.raises(KeyNotFound):
                await store.public_key(name())
            with pytest.raises(KeyDestroyed, match="another ordinal"):
                await store.create(name())

    async def test_destroying_again_changes_nothing(self, store: KeyStore) -> None:
        await store.create(name())
        await store.create(name(2))
        await store.destroy(name())
        await store.destroy(name())
        await store.sign(name(2), [b"the other key stays"])

    @pytest.mark.parametrize("algorithm", Algorithm)
    async def test_an_adopted_key_signs_as_it_did_where_it_was_made(self, store: KeyStore, algorithm: Algorithm) -> None:
        private = algorithms.generate(algorithm)
        its = imported(private, algorithm)
        public = await store.adopt(its, private)
        assert public == PublicJwk.from_public_key(private.public_key(), algorithm)
        assert await store.public_key(its) == public
        [signature] = await store.sign(its, [b"message"])
        assert algorithms.verify(algorithm, private.public_key(), b"message", signature)

    @pytest.mark.parametrize("bits", [3072, 4096])
    async def test_an_adopted_rsa_key_may_be_larger_than_those_made_here(self, store: KeyStore, bits: int) -> None:
        private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        for algorithm in (Algorithm.RS256, Algorithm.PS256):
            its = imported(private, algorithm)
            await store.adopt(its, private)
            [signature] = await store.sign(its, [b"message"])
            assert algorithms.verify(algorithm, private.public_key(), b"message", signature)

    async def test_adopting_again_answers_the_same_key(self, store: KeyStore, opening: Open) -> None:
        private = algorithms.generate(Algorithm.ES256)
        first = await store.adopt(imported(private), private)
        stores = [store, await opening()]
        adopted = await asyncio.gather(*(stores[n % 2].adopt(imported(private), private) for n in range(10)))
        assert adopted == [first] * 10

    async def test_a_key_that_is_adopted_twice_at_once_is_one_key(self, opening: Open) -> None:
        private = algorithms.generate(Algorithm.ES256)
        stores = [await opening() for _ in range(2)]
        adopted = await asyncio.gather(*(stores[n % 2].adopt(imported(private), private) for n in range(10)))
        assert len({public.kid for public in adopted}) == 1
        [signature] = await stores[0].sign(imported(private), [b"message"])
        assert algorithms.verify(Algorithm.ES256, private.public_key(), b"message", signature)
        await stores[0].destroy(imported(private))
        with pytest.raises(KeyDestroyed):
            await stores[1].sign(imported(private), [b"message"])

    async def test_another_key_is_not_adopted_under_a_name_that_is_taken(self, store: KeyStore) -> None:
        private, other = algorithms.generate(Algorithm.ES256), algorithms.generate(Algorithm.ES256)
        public = await store.adopt(imported(private), private)
        with pytest.raises(KeyStoreConflict, match="another key"):
            await store.adopt(imported(private), other)
        assert await store.public_key(imported(private)) == public

    async def test_an_adopted_key_is_in_no_created_keys_way(self, store: KeyStore) -> None:
        private = algorithms.generate(Algorithm.ES256)
        adopted = await store.adopt(imported(private), private)
        created = [await store.create(name(ordinal)) for ordinal in (1, 2)]
        assert adopted not in created
        assert await store.public_key(imported(private)) == adopted
        with pytest.raises(KeyNotFound):
            await store.public_key(imported(private, scope=GLOBEX))

    async def test_an_adopted_key_that_was_destroyed_does_not_come_back(self, store: KeyStore, opening: Open) -> None:
        private = algorithms.generate(Algorithm.ES256)
        await store.adopt(imported(private), private)
        await store.destroy(imported(private))
        await store.destroy(imported(private))
        for one in (store, await opening()):
            with pytest.raises(KeyDestroyed):
                await one.adopt(imported(private), private)
            with pytest.raises(KeyNotFound):
                await one.sign(imported(private), [b"message"])

    async def test_two_processes_that_create_the_same_names_get_the_same_keys(self, store: KeyStore, creators: Creators) -> None:
        processes = [await creators.start(40) for _ in range(2)]
        outputs = [(await process.communicate())[0] for process in processes]
        kids = [[json.loads(line) for line in output.splitlines()] for output in outputs]
        assert kids[0] == kids[1]
        assert kids[0] == [(await store.public_key(name(ordinal))).kid for ordinal in range(1, 41)]

    @pytest.mark.parametrize("rounds", [5, pytest.param(60, marks=[pytest.mark.long, pytest.mark.timeout(1200)])])
    async def test_what_create_returned_is_there_after_kill_9(self, opening: Open, creators: Creators, rounds: int) -> None:
        returned: list[str] = []
        moments = random.Random(rounds)
        for _ in range(rounds):
            process = await creators.start(10_000)
            assert process.stdout is not None
            kids = [json.loads(await process.stdout.readline()) for _ in range(len(returned) + moments.randrange(1, 40))]
            process.kill()
            kids += [json.loads(line) for line in (await process.stdout.read()).splitlines() if line.endswith(b'"')]
            await process.wait()
            assert kids[: len(returned)] == returned[: len(kids)]
            returned = kids
        store = await opening()
        assert [(await store.public_key(name(ordinal))).kid for ordinal in range(1, len(returned) + 1)] == returned
        for ordinal in range(len(returned) + 1, len(returned) + 4):  # where it was killed: whole, or not there
            public = await store.create(name(ordinal))
            [signature] = await store.sign(name(ordinal), [b"message"])
            assert algorithms.verify(Algorithm.ES256, public.public_key(), b"message", signature)
        await store.close()
