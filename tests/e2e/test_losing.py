"""What docs/losing.md says to do, done: each loss of the embedded service, and the way back."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.engines import embedded
from tests.platforms import REALM_IDS
from tests.processes import Service, service, tenantry

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def sign(here: Service, tenant: str) -> int:
    answer = await here.post(f"/v1/tenants/{tenant}/tokens/sign", {"claims": {"sub": "user"}})
    return answer.status_code


async def jwks(here: Service, tenant: str) -> dict[str, Any]:
    found: dict[str, Any] = (await here.get(f"/t/{tenant}/jwks.json")).json()
    return found


@embedded
@pytest.mark.long
async def test_the_search_indexes(tmp_path: Path) -> None:
    async with service(tmp_path / "data", sample=1) as here:
        await here.settled()
        counts = {tenant: await here.counts(tenant) for tenant in REALM_IDS}
        assert await here.stop() == 0
        shutil.rmtree(here.data / "index")
        await here.start()
        await here.settled()
        assert {tenant: await here.counts(tenant) for tenant in REALM_IDS} == counts


@embedded
async def test_the_master_key_without_a_copy(tmp_path: Path) -> None:
    """The keys are lost. What they signed still verifies; new ones sign after two rotations."""
    async with service(tmp_path / "data") as here:
        await here.create("acme")
        before = await jwks(here, "acme")
        assert await here.stop() == 0
        (here.data / "master.key").unlink()
        stopped = await tenantry("serve", data=here.data, port=0)
        assert stopped.code == 1
        assert "restore it from its backup" in stopped.err

        (here.data / "keys").rename(here.data / "keys.lost")
        await here.start()
        assert await sign(here, "acme") == 503
        for _ in range(2):  # the first makes a new standby in place of the lost one, the second lets it sign
            rotated = await here.run("keys", "rotate", "acme", "--activate", "--reason", "the keys were lost")
            assert rotated.code == 0, rotated.err
        assert await sign(here, "acme") == 200
        after = await jwks(here, "acme")
        assert {key["kid"] for key in before["keys"]} <= {key["kid"] for key in after["keys"]}, "old tokens verify"


@embedded
@pytest.mark.long
async def test_the_master_key_with_a_copy(tmp_path: Path) -> None:
    async with service(tmp_path / "data") as here:
        await here.create("acme")
        copy = (here.data / "master.key").read_bytes()
        assert await here.stop() == 0
        (here.data / "master.key").unlink()
        (here.data / "master.key").write_bytes(copy)
        refused = await tenantry("serve", data=here.data, port=0)
        assert refused.code == 1
        assert "chmod 600" in refused.err
        (here.data / "master.key").chmod(0o600)
        await here.start()
        assert await sign(here, "acme") == 200


@embedded
@pytest.mark.long
async def test_the_key_files(tmp_path: Path) -> None:
    """They come back from a backup alone, since each is whole by itself."""
    async with service(tmp_path / "data") as here:
        await here.create("acme")
        made = await here.run("backup", str(tmp_path / "backup.tar"))
        assert made.code == 0, made.err
        assert await here.stop() == 0
        shutil.rmtree(here.data / "keys")
        restored = await tenantry("restore", str(tmp_path / "backup.tar"), data=tmp_path / "aside")
        assert restored.code == 0, restored.err
        (tmp_path / "aside/keys").rename(here.data / "keys")
        await here.start()
        assert await sign(here, "acme") == 200
