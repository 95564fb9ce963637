"""The benchmark of signing, as short as it can be: that it runs to its figures, not what they are."""

from __future__ import annotations

import shutil

import pytest
from pytest_socket import enable_socket

from benchmarks import sign
from tests.servers import openbao
from tests.servers.fixtures import made


@pytest.mark.long
@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_it_measures_both_sides() -> None:
    made(openbao.fetch, "openbao")
    enable_socket()
    figures = sign.run(None, 1, batch=3, seconds=1)
    assert figures["tokens_per_second"] == pytest.approx(figures["ratio"] * figures["peer_signatures_per_second"])
    assert figures["batch_tokens_per_second"] == pytest.approx(figures["batch_ratio"] * figures["peer_batch_signatures_per_second"])
    assert min(figures["cpu_us_per_token"], figures["peer_cpu_us_per_signature"], figures["batch_cpu_us_per_token"]) > 0
