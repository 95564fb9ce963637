"""Two nodes of one service on Kafka, OpenSearch and OpenBao count what each of them signs; what a key has signed is the sum."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from services.bootstrap import start
from services.settings import Settings
from streams.scope import TenantScope
from tests import engines
from tests.platforms import site

ACME = TenantScope("acme")
ISSUER = "https://acme.example"


@pytest.mark.timeout(180)
async def test_what_two_nodes_sign_is_summed_up_and_a_subject_of_both_counts_once(
    tmp_path: Path, kafka: Any, opensearch: Any, openbao: Any
) -> None:
    shared = engines.on_servers(tmp_path, kafka, opensearch, openbao)
    async with site(tmp_path / "one", **shared) as one:
        await one.create("acme")
        [kid] = [key.kid for key in one.platform.rings.of("acme").keys if key.activated_at is not None]
        async with start(Settings(data=tmp_path / "two", process=False, **shared)) as two:
            for subject in ("ada", "bob"):
                await one.platform.custodian.sign(ACME, [{"client_id": "web", "sub": subject}], ISSUER)
                await two.custodian.sign(ACME, [{"client_id": "app", "sub": subject}], ISSUER)
            # The one hears of the report through the log, and writes down what it has counted: nobody waits for the end of a period.
            await two.custodian.compromise(ACME, kid, reason="a laptop was stolen", by="test", command=None)
            await one.platform.control.catch_up()
        await one.settled()
        answer = await one.operator.get(f"/v1/tenants/acme/keys/{kid}/blast-radius")
        found = answer.json()["usage"]
        assert (found["signatures"], found["subjects"]) == (4, 2)
        assert {client["id"]: client["signatures"] for client in found["clients"]} == {"web": 2, "app": 2}
