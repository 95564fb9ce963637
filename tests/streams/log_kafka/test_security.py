"""A Kafka with users and ACLs: what Tenantry's user must be allowed, and what it is told when it is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import CreateAclsRequest
from pytest_socket import enable_socket

from streams.errors import LogUnavailable
from streams.event_log import CONTROL, IDP_EVENTS, TENANT_LOG, NewRecord
from streams.log_kafka import KafkaConnection, KafkaEventLog
from tests.servers.fixtures import made
from tests.servers.kafka import Kafka
from tests.servers.process import free_port

pytestmark = [pytest.mark.long, pytest.mark.allow_hosts(["127.0.0.1"])]

TOPIC, GROUP, TRANSACTIONAL_ID = 2, 3, 5
READ, WRITE, CREATE, DESCRIBE, DESCRIBE_CONFIGS = 3, 4, 5, 8, 10
PREFIXED, ALLOW = 4, 3
NEEDED: Final = (
    *((TOPIC, operation) for operation in (CREATE, DESCRIBE, DESCRIBE_CONFIGS, READ, WRITE)),
    (GROUP, READ),
    (TRANSACTIONAL_ID, WRITE),
    (TRANSACTIONAL_ID, DESCRIBE),
)
"""Everything that Tenantry's user needs, for resources whose name begins with `PREFIX.`. The documentation lists the same."""

_PLAIN: Final = "org.apache.kafka.common.security.plain.PlainLoginModule required"


class SecuredKafka(Kafka):
    """A Kafka with a listener for users with passwords, who may do nothing that no ACL allows."""

    def __init__(self) -> None:
        super().__init__()
        self.secured = f"127.0.0.1:{free_port()}"
        text = self._properties.read_text()
        for setting in ("listeners", "advertised.listeners"):
            text = text.replace(f"\n{setting}=", f"\n{setting}=SASL_PLAINTEXT://{self.secured},")
        self._properties.write_text(
            f"{text}\n"
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT\n"
            "inter.broker.listener.name=PLAINTEXT\n"
            "sasl.enabled.mechanisms=PLAIN\n"
            f'listener.name.sasl_plaintext.plain.sasl.jaas.config={_PLAIN} user_alice="correct horse";\n'
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n"
            "super.users=User:ANONYMOUS\n"
        )

    async def allow(self, prefix: str, needed: Iterable[tuple[int, int]]) -> None:
        """Grants Alice the operations on what begins with the prefix."""
        client = AIOKafkaClient(bootstrap_servers=self.bootstrap)
        await client.bootstrap()
        try:
            for kind, operation in needed:
                request = CreateAclsRequest(kind, f"{prefix}.", PREFIXED, "User:alice", "*", operation, ALLOW)
                answer = await client.send(client.get_random_node(), request)
                assert [code for code, _ in answer.creation_responses] == [0]
        finally:
            await client.close()


@pytest.fixture(scope="module")
def secured() -> Iterator[SecuredKafka]:
    enable_socket()
    with made(SecuredKafka, "kafka") as kafka:
        yield kafka


def alice(kafka: SecuredKafka, prefix: str, password: str = "correct horse") -> KafkaConnection:
    url = f"kafka://{kafka.secured}/{prefix}?security_protocol=SASL_PLAINTEXT&sasl_mechanism=PLAIN&sasl_username=alice&partitions=2"
    return KafkaConnection.from_url(url, password)


async def everything(connection: KafkaConnection) -> None:
    """Does whatever Tenantry does with Kafka."""
    log = await KafkaEventLog.open(connection)
    try:
        await log.append([NewRecord(IDP_EVENTS, b"raw")])
        await log.append_if_unchanged([NewRecord(CONTROL, b"x", "acme")], last=None)
        async with log.follow(IDP_EVENTS, "router") as subscription:
            batch = await subscription.next(30)
            assert batch is not None
            await subscription.advance(batch, [NewRecord(TENANT_LOG, b"segment", "acme")])
        assert (await log.cursors(IDP_EVENTS, "router"))[batch.partition] == batch.end
        assert [record.value for record in await log.read(TENANT_LOG, key="acme")] == [b"segment"]
    finally:
        await log.close()


async def test_these_acls_are_enough(secured: SecuredKafka) -> None:
    await secured.allow("enough", NEEDED)
    await everything(alice(secured, "enough"))


@pytest.mark.parametrize("missing", [one for one in NEEDED if one[1] not in {DESCRIBE, DESCRIBE_CONFIGS}])
async def test_without_one_of_them_the_operator_is_told(secured: SecuredKafka, missing: tuple[int, int]) -> None:
    prefix = f"without-{missing[0]}-{missing[1]}"
    await secured.allow(prefix, [one for one in NEEDED if one != missing])
    with pytest.raises(LogUnavailable, match="ACLs"):
        await everything(alice(secured, prefix))


async def test_a_wrong_password_is_called_one_and_never_shown(secured: SecuredKafka) -> None:
    with pytest.raises(LogUnavailable, match="user name and password") as refused:
        await everything(alice(secured, "wrong", "battery staple"))
    assert "battery staple" not in str(refused.value)
