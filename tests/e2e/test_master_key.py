"""`tenantry master-key rotate`: beside no service, and no relying party notices."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from tests.engines import embedded
from tests.processes import service, tenantry

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@embedded
async def test_the_keys_are_the_same_afterwards(tmp_path: Path) -> None:
    async with service(tmp_path / "data") as here:
        await here.create("acme")
        published = (await here.get("/t/acme/jwks.json")).json()
        old = (here.data / "master.key").read_bytes()
        refused = await here.run("master-key", "rotate")
        assert refused.code == 1
        assert "is in use; stop the service" in refused.err
        assert (here.data / "master.key").read_bytes() == old

        assert await here.stop() == 0
        rotated = await here.run("master-key", "rotate", "--json")
        assert rotated.code == 0, rotated.err
        assert rotated.json["keys"] == 2
        kept = here.data / rotated.json["kept"]
        assert kept.read_bytes() == old
        assert (here.data / "master.key").read_bytes() != old

        await here.start()
        assert (await here.get("/t/acme/jwks.json")).json() == published
        assert (await here.post("/v1/tenants/acme/tokens/sign", {"claims": {"sub": "user"}})).status_code == 200
        assert (await here.post("/v1/tenants/acme/keys/rotate", {"activate": True, "reason": "a test"})).status_code == 200


@embedded
async def test_one_that_is_in_a_setting_is_rotated_to_a_file(tmp_path: Path) -> None:
    data, new = tmp_path / "data", tmp_path / "new.key"
    old = urlsafe_b64encode(secrets.token_bytes(32)).decode()
    async with service(data, master_key=old) as here:
        await here.create("acme")
        published = (await here.get("/t/acme/jwks.json")).json()
    refused = await tenantry("master-key", "rotate", data=data, master_key=old)
    assert refused.code == 1
    assert "name a file for the new one with --to" in refused.err
    rotated = await tenantry("master-key", "rotate", "--to", str(new), data=data, master_key=old)
    assert rotated.code == 0, rotated.err
    assert new.read_text().strip() not in rotated.out + rotated.err
    assert new.stat().st_mode & 0o777 == 0o600
    stale = await tenantry("serve", data=data, port=0, master_key=old)
    assert stale.code == 1
    assert "another master key" in stale.err
    async with service(data, master_key_file=new) as here:
        assert (await here.get("/t/acme/jwks.json")).json() == published
        assert (await here.post("/v1/tenants/acme/tokens/sign", {"claims": {"sub": "user"}})).status_code == 200


@embedded
async def test_what_has_no_master_key_is_said(tmp_path: Path) -> None:
    ran = await tenantry("master-key", "rotate", data=tmp_path / "data")
    assert ran.code == 1
    assert "there is no key store" in ran.err
    ran = await tenantry("master-key", "rotate", data=tmp_path / "data", keys_url="vault://127.0.0.1:1/tenantry")
    assert ran.code == 1
    assert "the keys are in vault, which rotates its own" in ran.err
