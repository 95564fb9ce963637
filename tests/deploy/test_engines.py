"""The engines of docker-compose.yml take its settings, keep out who has no secret, and come back by themselves."""

from __future__ import annotations

import shutil
import signal
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from keyvault.algorithms import Algorithm
from keyvault.errors import KeyNotFound, KeyStoreUnavailable
from keyvault.key_store import KeyName
from services.engines import open_log, open_store
from services.settings import Settings
from streams.errors import LogUnavailable
from streams.event_log import CONTROL, NewRecord
from streams.scope import TenantScope
from tests.deploy import engines
from tests.servers.fixtures import made

pytestmark = [pytest.mark.allow_hosts(["127.0.0.1"]), pytest.mark.skipif(shutil.which("openssl") is None, reason="it takes openssl")]


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return engines.make_secrets(tmp_path_factory.mktemp("site"))


def settings(server: engines.Deployed, host: str, **more: object) -> Settings:
    """What a container is told, at the server's address."""
    return Settings.model_validate({**engines.environment(server.ca.parent, {host: server}), **more})


def client(server: engines.Deployed, **more: Any) -> httpx.Client:
    return httpx.Client(
        base_url=f"https://127.0.0.1:{server.port}", verify=ssl.create_default_context(cafile=str(server.ca)), timeout=60, **more
    )


@contextmanager
def at_a_terminal() -> Iterator[None]:
    """What is started hears the keys that end it: what runs in the background is told to ignore them, and with it all that it starts."""
    before = {key: signal.signal(key, signal.SIG_DFL) for key in (signal.SIGINT, signal.SIGQUIT)}
    try:
        yield
    finally:
        for key, handler in before.items():
            signal.signal(key, handler)


@pytest.fixture(scope="module")
def openbao(secrets: Path) -> Iterator[engines.OpenBao]:
    with made(lambda: engines.OpenBao(secrets), "openbao") as server:
        first = server.give_role()
        assert first.returncode == 0, first.stderr
        yield server


@pytest.fixture(scope="module")
def opensearch(secrets: Path) -> Iterator[engines.OpenSearch]:
    with made(lambda: engines.OpenSearch(secrets), "opensearch") as server:
        first = server.give_users()
        assert first.returncode == 0, first.stderr
        yield server


@pytest.fixture(scope="module")
def kafka(secrets: Path) -> Iterator[engines.Kafka]:
    with made(lambda: engines.Kafka(secrets), "kafka") as server:
        yield server


async def test_openbao_keeps_keys_for_who_has_the_secret(openbao: engines.OpenBao) -> None:
    store = open_store(settings(openbao, "openbao:8200"))
    name = KeyName(TenantScope("acme"), 1, Algorithm.ES256)
    jwk = await store.create(name)
    assert await store.sign(name, [b"message"])
    assert (await store.public_key(name)).kid == jwk.kid
    await store.destroy(name)
    await store.close()
    stranger = open_store(settings(openbao, "openbao:8200", vault_secret_id="wrong", vault_secret_id_file=None))
    with pytest.raises(KeyStoreUnavailable):
        await stranger.create(name)
    await stranger.close()


def test_openbao_gives_its_role_nothing_else(openbao: engines.OpenBao) -> None:
    secret = (openbao.secrets / "tenantry/vault-secret-id").read_text()
    with client(openbao) as anonymous:
        answer = anonymous.post("/v1/auth/approle/login", json={"role_id": "tenantry", "secret_id": secret})
        assert answer.status_code == 200, answer.text
        assert anonymous.get("/v1/tenantry/keys/one").status_code == 403
    with client(openbao, headers={"X-Vault-Token": answer.json()["auth"]["client_token"]}) as role:
        assert role.post("/v1/tenantry/keys/one", json={"type": "ecdsa-p256", "exportable": True}).status_code == 403
        assert role.post("/v1/tenantry/keys/one", json={"type": "ecdsa-p256"}).is_success
        for path in ("/v1/tenantry/export/signing-key/one", "/v1/tenantry/backup/one", "/v1/sys/mounts", "/v1/sys/policies/acl/tenantry"):
            assert role.get(path).status_code == 403, path


def test_openbao_unseals_itself_and_its_setup_may_run_again(openbao: engines.OpenBao) -> None:
    openbao.kill()
    openbao.start()
    again = openbao.give_role()
    assert (again.returncode, again.stdout) == (0, b"OpenBao has what Tenantry needs.\n")
    kept = (openbao.kept / "init.txt").read_text()
    assert "Recovery Key 1: " in kept
    assert "Root Token" not in kept, "it was revoked"


def test_openbao_goes_on_without_its_recovery_key_once_its_setup_is_told(openbao: engines.OpenBao) -> None:
    """As docs/losing.md says."""
    note = openbao.kept / "init.txt"
    kept = note.read_text()
    note.unlink()
    assert openbao.give_role().returncode != 0, "it would initialise what is initialised"
    note.write_text("the recovery key is lost\n")
    told = openbao.give_role()
    assert (told.returncode, told.stdout) == (0, b"OpenBao has what Tenantry needs.\n")
    note.write_text(kept)


def test_openbao_runs_a_command_as_root_and_root_is_gone_behind_it(openbao: engines.OpenBao) -> None:
    ran = openbao.run_own("as-root.sh", "sh", "-c", 'bao policy write tenantry "$POLICY" && echo "$BAO_TOKEN"')
    assert ran.returncode == 0, ran.stderr
    *said, token = ran.stdout.decode().split()
    assert " ".join(said) == "Success! Uploaded policy: tenantry"
    with client(openbao, headers={"X-Vault-Token": token}) as late:
        assert late.get("/v1/auth/token/lookup-self").status_code == 403, "it was revoked"
    without_end = "(while kill -0 $PPID; do kill -INT 0; kill -QUIT 0; sleep 0.01; done) > /dev/null 2>&1 & wait"  # keys held down
    for end, code in (("exit 7", 7), ("kill -TERM $PPID", 1), (without_end, 1)):
        with at_a_terminal():
            failed = openbao.run_own("as-root.sh", "sh", "-c", f"echo $BAO_TOKEN; {end}")
        assert failed.returncode == code
        with client(openbao, headers={"X-Vault-Token": failed.stdout.decode().strip()}) as late:
            assert late.get("/v1/auth/token/lookup-self").status_code == 403, "whatever became of the command"


def test_openbao_makes_nobody_root_for_one_of_the_two_secrets(openbao: engines.OpenBao) -> None:
    note = openbao.kept / "init.txt"
    kept = note.read_text()
    key = kept.partition("Recovery Key 1: ")[2].splitlines()[0]
    note.write_text("the recovery key is in the safe\n")
    try:
        for given in (b"", b"bm90IHRoZSByZWNvdmVyeSBrZXk=\n"):
            refused = openbao.run_own("as-root.sh", "echo", "root", stdin=given)
            assert refused.returncode != 0
            assert refused.stdout == b""
        asked = openbao.run_own("as-root.sh", "bao", "policy", "list", stdin=f"{key}\n".encode())
        assert asked.returncode == 0, asked.stderr
        assert b"recovery" in asked.stdout.split()
        note.unlink()
        asked = openbao.run_own("as-root.sh", "echo", "root", stdin=f"{key}\n".encode())
        assert (asked.returncode, asked.stdout) == (0, b"root\n"), asked.stderr
    finally:
        note.write_text(kept)
    right = openbao.secrets / "openbao/recovery-secret-id"
    secret = right.read_text()
    right.write_text("wrong")
    try:
        refused = openbao.run_own("as-root.sh", "echo", "root")
        assert refused.returncode != 0
        assert refused.stdout == b""
    finally:
        right.write_text(secret)
    with client(openbao) as anonymous:
        answer = anonymous.post("/v1/auth/approle/login", json={"role_id": "recovery", "secret_id": secret})
    with client(openbao, headers={"X-Vault-Token": answer.json()["auth"]["client_token"]}) as role:
        for path in ("/v1/tenantry/keys/one", "/v1/sys/mounts", "/v1/sys/policies/acl/tenantry", "/v1/sys/storage/raft/snapshot"):
            assert role.get(path).status_code == 403, path


async def test_an_administrator_takes_a_key_away(openbao: engines.OpenBao) -> None:
    """As docs/losing.md says, where the log is lost that knew of its compromise."""
    store = open_store(settings(openbao, "openbao:8200"))
    name = KeyName(TenantScope("acme"), 3, Algorithm.RS256)
    await store.create(name)
    line = "bao write tenantry/keys/acme.3.RS256/config deletion_allowed=true && bao delete tenantry/keys/acme.3.RS256"
    assert line in (engines.ROOT / "docs/losing.md").read_text()
    taken = openbao.run_own("as-root.sh", "sh", "-c", line)
    assert taken.returncode == 0, taken.stderr
    with pytest.raises(KeyNotFound):
        await store.public_key(name)
    await store.close()


async def test_openbao_comes_back_from_a_snapshot_with_its_keys(openbao: engines.OpenBao, secrets: Path) -> None:
    name = KeyName(TenantScope("globex"), 1, Algorithm.ES256)
    store = open_store(settings(openbao, "openbao:8200"))
    kid = (await store.create(name)).kid
    await store.close()
    snapshot = openbao.run_own("snapshot.sh")
    assert snapshot.returncode == 0, snapshot.stderr
    with made(lambda: engines.OpenBao(secrets), "openbao") as other:
        restored = other.run_own("restore.sh", stdin=snapshot.stdout)
        assert restored.returncode == 0, restored.stderr
        store = open_store(settings(other, "openbao:8200"))
        assert (await store.public_key(name)).kid == kid
        assert await store.sign(name, [b"message"])
        await store.close()
        again = other.run_own("restore.sh", stdin=snapshot.stdout)
        assert again.returncode == 1
        assert b"Restore into a new one" in again.stderr
        assert other.give_role().returncode == 0


@pytest.mark.long
def test_opensearch_gives_the_role_its_own_indexes_and_nothing_else(opensearch: engines.OpenSearch) -> None:
    assert opensearch.give_users().returncode == 0, "it may run again"
    password = (opensearch.secrets / "tenantry/opensearch-password").read_text()
    with client(opensearch, auth=("tenantry", password)) as role:
        assert role.put("/tenantry-t-acme", json={"mappings": {"dynamic": False}}).is_success
        assert role.post("/tenantry-t-acme/_doc", json={"a": 1}).is_success
        for method, path in (
            ("PUT", "/other"),
            ("PUT", "/tenantry"),
            ("PUT", "/tenantry-eu-t-acme"),
            ("GET", "/.opendistro_security/_search"),
            ("GET", "/_plugins/_security/api/internalusers"),
        ):
            assert role.request(method, path).status_code == 403, path
    for name, given in {"admin": "admin", "tenantry": "wrong", "kibanaserver": "kibanaserver"}.items():
        with client(opensearch, auth=(name, given)) as stranger:
            assert stranger.get("/").status_code == 401, "there is no default password"
    with client(opensearch) as anonymous:
        assert anonymous.get("/").status_code == 401
        assert anonymous.get("/_plugins/_security/health").json()["status"] == "UP", "what its health check asks"
    with client(opensearch, auth=("admin", (opensearch.secrets / "opensearch/admin-password").read_text())) as admin:
        mapped = admin.get("/_plugins/_security/api/rolesmapping").json()
    assert [name for name, to in mapped.items() if to["users"] or to["backend_roles"] or to["hosts"]] == [], "nobody has a role by default"
    dashboards = yaml.safe_load((opensearch.secrets / "dashboards/opensearch_dashboards.yml").read_text())
    with client(opensearch, auth=(dashboards["opensearch.username"], dashboards["opensearch.password"])) as server:
        assert server.put("/.kibana_1").is_success
        assert server.get("/tenantry-t-acme/_search").status_code == 403, "people see what their own login allows"


@pytest.mark.long
async def test_kafka_keeps_the_log_for_who_has_the_password(kafka: engines.Kafka) -> None:
    log = await open_log(settings(kafka, "kafka:9092"))
    appended = await log.append_if_unchanged([NewRecord(CONTROL, b"value", key="acme")], last=None)
    assert [record.value for record in await log.read(CONTROL, key="acme")] == [b"value"]
    assert len(appended) == 1
    await log.close()
    with pytest.raises(LogUnavailable):
        await open_log(settings(kafka, "kafka:9092", kafka_password="wrong", kafka_password_file=None))
