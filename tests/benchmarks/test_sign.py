"""The benchmark of signing, as short as it can be: that it runs to its figures, not what they are."""

from __future__ import annotations

import shutil

import pytest
from pytest_socket import enable_socket

from benchmarks import sign
from tests.servers import kafka, openbao, opensearch
from tests.servers.fixtures import made


@pytest.mark.long
@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
@pytest.mark.parametrize("nodes", [1, 2])
def test_it_measures_both_sides(nodes: int) -> None:
    made(openbao.fetch, "openbao")
    if nodes > 1:
        made(kafka.fetch, "kafka")
        made(opensearch.fetch, "opensearch")
    enable_socket()
    figures = sign.run(None, 1, batch=3, nodes=nodes, seconds=1)
    assert figures["tokens_per_second"] == pytest.approx(figures["ratio"] * figures["peer_signatures_per_second"])
    assert figures["batch_tokens_per_second"] == pytest.approx(figures["batch_ratio"] * figures["peer_batch_signatures_per_second"])
    assert min(figures["cpu_us_per_token"], figures["peer_cpu_us_per_signature"], figures["batch_cpu_us_per_token"]) > 0
