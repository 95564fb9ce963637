"""An import of a private key that dies at each of its steps: nothing is left that nobody knows of, and the same command goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keyvault import jws
from keyvault.algorithms import Algorithm
from keyvault.errors import KeyNotFound
from keyvault.import_commands import INTERRUPTED
from keyvault.jwks import Jwks
from keyvault.key import KeyState
from keyvault.key_store import KeyName, KeyStore
from keyvault.private_key import ForeignKey
from services.keys.custodian import Done
from services.keys.imports import Adoption
from streams.scope import TenantScope
from tests.engines import embedded
from tests.platforms import Site, site

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
ACME: Final = TenantScope("acme")
STEPS: Final = [(call, when) for call in ("publish", "store", "activate") for when in ("before", "after")]
"""What an import asks of the log and of the key store, in this order."""


class Died(BaseException):
    """The process was killed here. No `except Exception` sees it, as none sees a SIGKILL."""


@pytest.fixture(params=["file", "openbao"])
def engine(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Settings for the key store."""
    if request.param == "file":
        return {}
    bao = request.getfixturevalue("openbao")
    return {"keys_url": f"vault://127.0.0.1:{bao.port}/{bao.mount()}", "vault_token": bao.root_token}


@pytest.fixture(scope="module")
def private() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def dying(call: Callable[..., Awaitable[Any]], when: str, at: int) -> Callable[..., Awaitable[Any]]:
    """The call, but the process dies before or after it the `at`-th time."""
    count = 0

    async def called(*arguments: Any, **more: Any) -> Any:
        nonlocal count
        count += 1
        if count == at and when == "before":
            raise Died
        answer = await call(*arguments, **more)
        if count == at:
            raise Died
        return answer

    return called


async def adopt(here: Site, private: rsa.RSAPrivateKey) -> Done:
    asked = Adoption(key=ForeignKey(private), kid="idp-1", known_since=here.platform.now() - 30 * 86_400_000)
    return await here.platform.imports.adopt(ACME, asked, by="operator:test", command=None)


def _pem(private: rsa.RSAPrivateKey) -> str:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


async def has(store: KeyStore, name: KeyName) -> bool:
    try:
        await store.public_key(name)
    except KeyNotFound:
        return False
    return True


@pytest.mark.parametrize(("step", "when"), STEPS)
async def test_it_can_die_at_any_step(
    tmp_path: Path, engine: dict[str, Any], private: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    its = KeyName(ACME, 0, Algorithm.RS256, ForeignKey(private).thumbprint)
    async with site(tmp_path / "data", **engine) as here:
        await here.create("acme")
        await here.platform.scheduler.stop()  # it appends, too
        target, name = (here.platform.store, "adopt") if step == "store" else (here.platform.log, "append_if_unchanged")
        with monkeypatch.context() as patch:
            patch.setattr(target, name, dying(getattr(target, name), when, 2 if step == "activate" else 1))
            with pytest.raises(Died):
                await adopt(here, private)
    async with site(tmp_path / "data", **engine) as here:
        store, ring = here.platform.store, here.platform.rings.of("acme")
        assert ring.active is not None
        known = [key for key in ring.keys if key.imported]
        if await has(store, its):
            assert [KeyName.of(ACME, key) for key in known] == [its], "the log knows of whatever is in the key store"
            assert known[0].stored
        done = await adopt(here, private)
        assert done.ring.active is not None
        assert (done.ring.active.kid, len([key for key in done.ring.keys if key.imported])) == ("idp-1", 1)
        assert [key.state for key in done.ring.keys].count(KeyState.ACTIVE) == 1
        token = (await here.operator.post("/v1/tenants/acme/tokens/sign", json={"claims": {"sub": "ada"}})).json()["token"]
        jws.verify(token, Jwks.parse((await here.client(None).get("/t/acme/jwks.json")).content), now=here.platform.now())


async def test_what_was_interrupted_and_never_repeated_is_destroyed(
    tmp_path: Path, engine: dict[str, Any], private: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    its = KeyName(ACME, 0, Algorithm.RS256, ForeignKey(private).thumbprint)
    async with site(tmp_path / "data", **engine) as here:
        await here.create("acme")
        monkeypatch.setattr(here.platform.store, "adopt", dying(here.platform.store.adopt, "after", 1))
        with pytest.raises(Died):
            await adopt(here, private)
        assert await has(here.platform.store, its)
        custodian, now = here.platform.custodian, here.platform.now()
        monkeypatch.setattr(custodian, "_now", lambda: now + INTERRUPTED + 1000)
        await custodian.settle(ACME)
        assert here.platform.rings.of("acme").find("idp-1").state is KeyState.DESTROYED
        assert not await has(here.platform.store, its)


@embedded
async def test_when_the_key_store_is_away_nothing_signs_with_it_and_it_can_be_repeated(tmp_path: Path, private: rsa.RSAPrivateKey) -> None:
    async with site(tmp_path / "data") as here:
        await here.create("acme")
        directory = tmp_path / "data" / "keys" / "acme"
        directory.rename(directory.with_name("away"))
        directory.write_text("in the way")
        body = {"private_key": _pem(private), "kid": "idp-1", "known_since": "2020-01-01"}
        answer = await here.operator.post("/v1/tenants/acme/keys/adopt", json=body)
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (503, "key-store-unavailable")
        assert here.platform.rings.of("acme").find("idp-1").state is KeyState.DEACTIVATED
        directory.unlink()
        directory.with_name("away").rename(directory)
        answer = await here.operator.post("/v1/tenants/acme/keys/adopt", json=body)
        assert (answer.status_code, answer.json()["active"]) == (200, "idp-1")
