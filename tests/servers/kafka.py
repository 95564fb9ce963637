"""A real Kafka: one node, broker and controller, in KRaft mode."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.servers import cache, tools
from tests.servers.process import Server, free_port

VERSION: Final = "4.1.0"
_POM: Final = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>tenantry</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency>
<groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version>
</dependency></dependencies></project>
"""
_PROPERTIES: Final = """
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
log.dirs={directory}/data
num.partitions=1
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
"""


def fetch() -> Path:
    """Kafka's jars, from Maven's repositories unless they are here.

    Raises:
        Missing: they can't be fetched.
    """
    tools.java(17)
    return cache.once(f"kafka-{VERSION}", _build)


def _build(directory: Path) -> None:
    (directory / "pom.xml").write_text(_POM.format(version=VERSION))
    tools.maven("dependency:copy-dependencies", "-DoutputDirectory=lib", cwd=directory)


class Kafka(Server):
    """A broker; topics are made by whoever needs them."""

    name = "kafka"

    def __init__(self) -> None:
        super().__init__()
        self._classpath = f"{fetch()}/lib/*"
        self._java = str(tools.java(17) / "bin/java")
        self.port = free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self._properties = self.directory / "server.properties"
        self._properties.write_text(_PROPERTIES.format(port=self.port, controller=free_port(), directory=self.directory))
        identity = base64.urlsafe_b64encode(b"\0" + os.urandom(15)).decode().rstrip("=")  # one that begins with - would pass for an option
        subprocess.run(
            [*self._run("kafka.tools.StorageTool"), "format", "-t", identity, "-c", str(self._properties), "--standalone"],
            check=True, capture_output=True, timeout=120, cwd=self.directory,
        )  # fmt: skip

    def command(self) -> Sequence[str]:
        """The broker."""
        return [*self._run("kafka.Kafka"), str(self._properties)]

    def serves(self) -> bool:
        """Whether it listens, which it does last. It has no logger to say so."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _run(self, main: str) -> list[str]:
        return [self._java, "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", self._classpath, main]
