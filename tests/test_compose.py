"""docker-compose.yml, the Dockerfile and deploy/: pinned, without secrets, as closed as can be, and true to the settings."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
from importlib.metadata import requires
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import yaml

from services.settings import Settings
from streams.index_opensearch import service_role
from tests.deploy.engines import make_secrets
from tests.servers.kafka import VERSION as KAFKA
from tests.servers.opensearch import SECURED as OPENSEARCH

ROOT: Final = Path(__file__).parents[1]
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
OURS: Final = {"api", "worker"}
SETUPS: Final = {"opensearch-setup", "openbao-setup"}
_SECRET_NAME: Final = re.compile(r"PASSWORD|SECRET|TOKEN|KEY", re.IGNORECASE)

every_service = pytest.mark.parametrize("name", SERVICES)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that deploy/make-secrets.sh makes."""
    if shutil.which("openssl") is None:
        pytest.skip("deploy/make-secrets.sh needs openssl")
    return make_secrets(tmp_path_factory.mktemp("site"))


def mounts(name: str) -> list[tuple[str, str]]:
    return [tuple(volume.rsplit(":ro", 1)[0].rsplit(":", 1)) for volume in SERVICES[name].get("volumes", [])]


@every_service
def test_its_image_is_pinned(name: str) -> None:
    assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+\.\d+", SERVICES[name]["image"])


def test_it_runs_the_versions_that_are_tested() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{KAFKA}"
    assert {SERVICES[name]["image"].split(":")[1] for name in ("opensearch", "opensearch-setup", "dashboards")} == {OPENSEARCH}
    assert SERVICES["openbao"]["image"] == SERVICES["openbao-setup"]["image"]


def test_the_base_image_is_pinned_and_the_service_is_not_root() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert all(re.fullmatch(r"python:3\.\d+-slim-[a-z]+", image) for image in re.findall(r"^FROM (\S+)", text, re.MULTILINE))
    assert int(re.findall(r"^USER (\d+)", text, re.MULTILINE)[-1]) > 0
    assert "--require-hashes" in text
    assert "HEALTHCHECK" in text


def test_what_builds_the_wheel_is_named_in_full() -> None:
    wanted = re.search(r"/\^\(([a-z|-]+)\)==/", (ROOT / "Dockerfile").read_text())
    assert wanted is not None
    needed = {re.split(r"[^a-z-]", line)[0] for line in requires("hatchling") or [] if "python_version" not in line}
    assert set(wanted[1].split("|")) == {"hatchling", *needed}


@every_service
def test_it_says_whether_it_is_well(name: str) -> None:
    check = SERVICES[name]["healthcheck"]
    if name not in SETUPS:
        assert check["test"]
        assert {"interval", "timeout", "start_period", "retries"} <= set(check)
        return
    assert check == {"disable": True}, "it ends"
    awaited = [service["depends_on"][name]["condition"] for service in SERVICES.values() if name in service.get("depends_on", {})]
    assert set(awaited) == {"service_completed_successfully"}


@every_service
def test_what_it_needs_is_well_before_it_starts(name: str) -> None:
    needed = SERVICES[name].get("depends_on", {})
    assert all(
        need["condition"] == ("service_completed_successfully" if other in SETUPS else "service_healthy") for other, need in needed.items()
    )
    if name in OURS:
        assert set(needed) == {"kafka", *SETUPS}


@every_service
def test_it_is_closed(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert service["deploy"]["resources"]["limits"]["memory"]
    published = service.get("ports", [])
    assert bool(published) == (name in {"api", "dashboards", "prometheus"})
    assert all(port.startswith("127.0.0.1:") for port in published)
    if name in OURS | {"prometheus", "opensearch-setup"}:
        assert service["read_only"] is True


@every_service
def test_no_secret_is_in_it(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if _SECRET_NAME.search(variable):
            assert str(value).startswith(("/run/secrets/", "/secrets", "https://")) or ":?" in str(value) or "://" in str(value), variable
    assert not re.search(r"//[^/\s]*:[^/\s@]*@", str(SERVICES[name])), "no password in a URL"


def test_no_secret_is_in_any_file_of_deploy() -> None:
    for path in (ROOT / "deploy").rglob("*"):
        if path.is_file() and "secrets" not in path.relative_to(ROOT / "deploy").parts:
            assert not re.search(r"PRIVATE KEY|password *[=:] *\"?[\w-]{8,}", path.read_text()), path


def test_opensearch_gives_the_services_user_what_it_needs_and_nobody_anything_by_default() -> None:
    url = COMPOSE["x-settings"]["TENANTRY_INDEX_URL"]
    assert urlsplit(url).path == "/tenantry"
    assert json.loads((ROOT / "deploy/opensearch/tenantry-role.json").read_text()) == service_role("tenantry")
    places = {place: file.rpartition("/")[2] for file, place in mounts("opensearch")}
    for file in ("internal_users.yml", "roles_mapping.yml"):
        assert places[f"/usr/share/opensearch/config/opensearch-security/{file}"] == file
        assert set(yaml.safe_load((ROOT / "deploy/opensearch" / file).read_text())) == {"_meta"}


def test_every_setting_is_one() -> None:
    known = {f"TENANTRY_{name.upper()}" for name in Settings.model_fields}
    text = (ROOT / "docker-compose.yml").read_text() + (ROOT / "Dockerfile").read_text()
    assert set(re.findall(r"\bTENANTRY_[A-Z_]+", text)) <= known
    for name in OURS:
        given = {key.removeprefix("TENANTRY_").lower(): value for key, value in SERVICES[name]["environment"].items()}
        Settings.model_validate({**given, "public_url": "http://127.0.0.1:8080"})


@every_service
def test_every_file_that_it_mounts_is_there(name: str, secrets: Path) -> None:
    for source, target in mounts(name):
        if source.startswith("./"):
            assert (ROOT / source).exists(), source
        elif source.startswith("${SECRETS"):
            path = secrets / source.partition("}/")[2]
            assert path.exists(), source
            assert path.is_dir() or stat.S_IMODE(path.stat().st_mode) == 0o644, "its user may read it"
        else:
            assert source in COMPOSE["volumes"], source
        assert target.startswith("/")
    for secret in SERVICES[name].get("secrets", []):
        assert (secrets / COMPOSE["secrets"][secret]["file"].partition("}/")[2]).is_file()


def test_secrets_are_new_each_time_and_closed(secrets: Path, tmp_path: Path) -> None:
    other = make_secrets(tmp_path)
    files = {path.relative_to(secrets) for path in secrets.rglob("*") if path.is_file()}
    assert files == {path.relative_to(other) for path in other.rglob("*") if path.is_file()}
    assert [path for path in files if (secrets / path).read_bytes() == (other / path).read_bytes()] == []
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700, "whoever may not enter it can read nothing"
    assert stat.S_IMODE((secrets / "ca-key.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((secrets.parents[1] / ".env").stat().st_mode) == 0o600


def test_secrets_are_never_replaced(secrets: Path) -> None:
    before = {path: path.read_bytes() for path in secrets.rglob("*") if path.is_file()}
    again = subprocess.run([secrets.parent / "make-secrets.sh"], capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "is there already" in again.stderr
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no checkout")
def test_secrets_are_ignored_by_git() -> None:
    ignored = subprocess.run(
        ["git", "check-ignore", ".env", "deploy/secrets/ca-key.pem"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ignored.stdout.split() == [".env", "deploy/secrets/ca-key.pem"]


def compose() -> list[str]:
    """The program that reads the file, if there is one."""
    if program := shutil.which("docker-compose"):
        return [program]
    docker = shutil.which("docker")
    if docker and subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode == 0:
        return [docker, "compose"]
    pytest.skip("there is no docker compose here")


def test_compose_takes_it_and_says_when_secrets_are_missing(secrets: Path) -> None:
    command, site = compose(), secrets.parents[1]
    shutil.copy(ROOT / "docker-compose.yml", site)
    command = [*command, "--project-directory", str(site), "--file", str(site / "docker-compose.yml"), "config", "--quiet"]
    taken = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (taken.returncode, taken.stderr) == (0, "")
    (site / ".env").rename(site / "env")
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    (site / "env").rename(site / ".env")
    assert refused.returncode != 0
    assert "run deploy/make-secrets.sh" in refused.stderr
