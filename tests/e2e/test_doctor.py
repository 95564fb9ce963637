"""`tenantry doctor` with engines that are away, or let nobody in: each is named, with what to do, in bounded time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engines import embedded, on_servers
from tests.processes import tenantry
from tests.servers.process import free_port

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


async def test_real_engines_that_answer_are_well(tmp_path: Path, kafka: Any, opensearch: Any, openbao: Any) -> None:
    """Also before anything was started: only the operator's token will be in the data directory."""
    ran = await tenantry("doctor", "--json", data=tmp_path / "data", **on_servers(tmp_path, kafka, opensearch, openbao))
    assert ran.code == 0, ran.out + ran.err
    assert [found["check"] for found in ran.json] == ["settings", "data directory", "event log", "search index", "key store"]
    assert [found["detail"].split()[0] for found in ran.json[2:]] == ["kafka", "opensearch", "vault"]
    assert "to be made by the first process" in ran.json[2]["detail"], "looking makes no topics"
    assert not (tmp_path / "data").exists()


@embedded
async def test_looking_makes_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    ran = await tenantry("doctor", "--json", data=tmp_path / "data")
    assert ran.code == 0, ran.out + ran.err
    assert all("is not there yet" in found["detail"] for found in ran.json[2:])
    assert list((tmp_path / "data").iterdir()) == []


@embedded
async def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    ran = await tenantry("doctor", "--json", data=tmp_path / "misspelt")
    assert ran.code == 1
    assert [found["check"] for found in ran.json if not found["ok"]] == ["data directory"]
    assert not (tmp_path / "misspelt").exists()


async def test_engines_that_are_away_are_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    port = free_port()
    away: dict[str, Any] = {
        "log_url": f"kafka://127.0.0.1:{port}/away",
        "index_url": f"opensearch://admin@127.0.0.1:{port}/away",
        "opensearch_password": "geheim",
        "keys_url": f"vault://127.0.0.1:{port}/away",
        "vault_token": "geheim",
    }
    ran = await tenantry("doctor", "--json", data=tmp_path / "data", **away)
    assert ran.code == 1
    bad = {found["check"]: found["detail"] for found in ran.json if not found["ok"]}
    assert set(bad) == {"event log", "search index", "key store"}
    assert all(bad.values()), "each says what is wrong"
    assert "geheim" not in ran.out + ran.err
    assert "Traceback" not in ran.err


async def test_credentials_that_are_refused_are_named(tmp_path: Path, kafka: Any, opensearch: Any, openbao: Any) -> None:
    (tmp_path / "data").mkdir()
    given = {**on_servers(tmp_path, kafka, opensearch, openbao), "opensearch_password": "wrong", "vault_token": "wrong"}
    ran = await tenantry("doctor", "--json", data=tmp_path / "data", **given)
    bad = {found["check"]: found["detail"] for found in ran.json if not found["ok"]}
    assert set(bad) == {"search index", "key store"}


@embedded
async def test_a_variable_that_is_no_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    ran = await tenantry("doctor", data=tmp_path / "data", vault_toke="geheim")
    assert ran.code == 1
    assert "BAD  settings: TENANTRY_VAULT_TOKE is none; did you mean TENANTRY_VAULT_TOKEN?" in ran.out
    assert "geheim" not in ran.out + ran.err
