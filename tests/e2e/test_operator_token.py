"""`tenantry operator-token`: whoever has the machine gets in again, and nobody else with the old token."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.access.operator import replace_operator
from services.access.tokens import Tokens
from services.engines import open_log
from services.parts import now_ms
from services.settings import Settings
from streams.control_log import ControlLog
from tests import engines
from tests.processes import service, tenantry

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.mark.parametrize("lost", [True, False], ids=["the file is lost", "the token got about"])
async def test_the_old_token_is_refused_and_the_new_one_taken_while_the_service_runs(tmp_path: Path, lost: bool) -> None:
    async with service(tmp_path / "data") as here:
        old = here.token
        if lost:
            (here.data / "operator.token").unlink()
        ran = await here.run("operator-token", "--json")
        assert ran.code == 0, ran.err
        await here.settled()  # each node follows the log
        assert here.token != old
        assert here.token not in ran.out + ran.err
        assert (here.data / "operator.token").stat().st_mode & 0o777 == 0o600
        answer = await here.ask("GET", "/v1/tenants", headers={"Authorization": f"Bearer {old}"})
        assert answer.status_code == 401
        await here.create("acme")
        assert not (here.data / "operator.token.new").exists()


async def test_what_a_crash_interrupted_is_finished(tmp_path: Path) -> None:
    async with service(tmp_path / "data") as here:
        log = await open_log(Settings(data=here.data, **engines.settings(here.data)))
        tokens = Tokens()
        control = ControlLog(log, (tokens,))
        await control.start()
        made = await replace_operator(control, tokens, here.data / "operator.token", now_ms())
        (here.data / "operator.token").rename(here.data / "operator.token.new")  # as if it had been killed before
        again = await replace_operator(control, tokens, here.data / "operator.token", now_ms())
        assert again == made
        assert [token.id for token in tokens.of(None)] == [made.id]
        await control.stop()
        await log.close()
        await here.settled()  # each node follows the log
        assert (await here.get("/v1/tenants")).status_code == 200


async def test_a_log_that_has_no_operator_is_said(tmp_path: Path) -> None:
    ran = await tenantry("operator-token", data=tmp_path / "data")
    assert ran.code == 1
    assert "start the service once" in ran.err
