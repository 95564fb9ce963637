"""What a node answers that hears nothing from the control log. `tests/faults/test_kafka_cut_off.py` cuts one off."""

from __future__ import annotations

import msgspec
import pytest

from streams.control_log import ControlEvent
from streams.errors import ControlError
from streams.event_log import CONTROL, NewRecord
from tests.platforms import Site


async def test_signing_says_when_to_come_again_and_the_jwks_goes_on(here: Site) -> None:
    await here.create("acme")
    body = {"claims": {"sub": "u"}}
    assert (await here.operator.post("/v1/tenants/acme/tokens/sign", json=body)).status_code == 200
    hearing = here.platform.hearing
    hearing._heard_at = hearing._clock() - 3600
    refused = await here.operator.post("/v1/tenants/acme/tokens/sign", json=body)
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (503, "cut-off")
    assert int(refused.headers["retry-after"]) > 0
    assert (await here.client(None).get("/t/acme/jwks.json")).status_code == 200
    assert await hearing.listen()
    assert (await here.operator.post("/v1/tenants/acme/tokens/sign", json=body)).status_code == 200


async def test_a_node_that_can_not_read_the_log_any_more_signs_nothing(here: Site) -> None:
    await here.create("acme")
    data = {"type": "key_activated", "at": 1, "kid": "unknown", "token_lifetime": 1}
    unknown = ControlEvent(type="key_activated", at=1, by="a newer version", data=data)
    await here.platform.log.append([NewRecord(CONTROL, msgspec.json.encode(unknown), "acme")])
    with pytest.raises(ControlError):
        await here.platform.control.catch_up()
    refused = await here.operator.post("/v1/tenants/acme/tokens/sign", json={"claims": {"sub": "u"}})
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (503, "cut-off")
    assert "upgrade" in refused.json()["detail"]
    assert (await here.client(None).get("/t/acme/jwks.json")).status_code == 200
