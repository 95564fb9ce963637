"""The settings of the Kafka adapter, as a URL gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.log_kafka import KafkaConnection


def test_a_plain_url_has_servers_and_a_prefix() -> None:
    connection = KafkaConnection.from_url("kafka://one:9092,two.example:9093,[::1]:9094/tenantry")
    assert connection.servers == ("one:9092", "two.example:9093", "[::1]:9094")
    assert connection.prefix == "tenantry"
    assert (connection.partitions, connection.replication) == (12, -1)
    assert connection.settings() == {"bootstrap_servers": ["one:9092", "two.example:9093", "[::1]:9094"], "security_protocol": "PLAINTEXT"}


def test_sasl_is_passed_through_and_the_password_is_never_shown() -> None:
    connection = KafkaConnection.from_url(
        "kafka://one:9092/t?security_protocol=SASL_PLAINTEXT&sasl_mechanism=SCRAM-SHA-512&sasl_username=alice&partitions=3&replication=3",
        password="correct horse",
    )
    assert connection.settings() == {
        "bootstrap_servers": ["one:9092"],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "alice",
        "sasl_plain_password": "correct horse",
    }
    assert (connection.partitions, connection.replication) == (3, 3)
    assert "correct horse" not in repr(connection)


def test_tls_uses_the_systems_authorities_unless_told_otherwise(tmp_path: Path) -> None:
    context = KafkaConnection.from_url("kafka://one:9093/t?security_protocol=SSL").settings()["ssl_context"]
    assert context.check_hostname
    missing = KafkaConnection.from_url(f"kafka://one:9093/t?security_protocol=SSL&cafile={tmp_path}/none.pem")
    with pytest.raises(FileNotFoundError):
        missing.settings()


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("http://one:9092/t", "looks like kafka://"),
        ("kafka://one/t", "not host:port"),
        ("kafka://one:99999/t", "not host:port"),
        ("kafka://one:9092,/t", "not host:port"),
        ("kafka://alice:secret@one:9092/t", "no user before '@'"),
        ("kafka://one:9092/", "begin names"),
        ("kafka://one:9092/a/b", "begin names"),
        ("kafka://one:9092/t?topic=x", "no parameter 'topic'"),
        ("kafka://one:9092/t?password=x", "never goes into the URL"),
        ("kafka://one:9092/t?partitions=many", "no number"),
        ("kafka://one:9092/t?partitions=0", "1 to 1000"),
        ("kafka://one:9092/t?replication=0", "cluster's default"),
        ("kafka://one:9092/t?cafile=", "no value"),
        ("kafka://one:9092/t?security_protocol=TLS", "use one of"),
        ("kafka://one:9092/t?security_protocol=SASL_SSL&sasl_mechanism=GSSAPI&sasl_username=a", "use one of"),
        ("kafka://one:9092/t?security_protocol=SASL_SSL", "need it"),
        ("kafka://one:9092/t?sasl_username=alice", "belongs to"),
        ("kafka://one:9092/t?security_protocol=SASL_SSL&sasl_username=alice", "needs a password"),
        ("kafka://one:9092/t?cafile=/ca.pem", "belong to"),
        ("kafka://one:9092/t?security_protocol=SSL&keyfile=/key.pem", "needs its certfile"),
    ],
)
def test_what_can_not_work_is_refused_with_advice(url: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice) as refused:
        KafkaConnection.from_url(url)
    assert "secret" not in str(refused.value)
