"""The peer: rsyslog, from the topic into an index for each realm. Its configuration is `rsyslog.conf`."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.__main__ import MissingPeerError
from benchmarks.pipeline.indexes import Indexes
from benchmarks.pipeline.topic import Topic

_MODULES = Path("/usr/lib")
_WORKERS = 4
_BATCH = 2000
_CONSUMERS = 2
_STOP_SECONDS = 90
_INPUT = """input(
  type="imkafka" broker="{broker}" topic="{topic}" consumergroup="{group}" ruleset="events"
  confParam=["auto.offset.reset=earliest", "queued.min.messages=100000", "fetch.message.max.bytes=4000000"]
)
"""


def check() -> None:
    """Returns if rsyslog and its two modules are here.

    Raises:
        MissingPeerError: they are not.
    """
    found = {path.name for path in _MODULES.glob("*/rsyslog/*.so")} | {path.name for path in _MODULES.glob("rsyslog/*.so")}
    if _program() is None or not {"imkafka.so", "omelasticsearch.so"} <= found:
        raise MissingPeerError(
            "rsyslog is needed: apt-get install rsyslog rsyslog-kafka rsyslog-elasticsearch, or your system's names for them"
        )


@contextmanager
def running(directory: Path, topic: Topic, group: str, indexes: Indexes, id_prefix: str) -> Iterator[Sequence[int]]:
    """Rsyslog at work, while the context is open; its process ids.

    Raises:
        AssertionError: it reported documents that it could not write.
    """
    directory.mkdir()
    configuration = directory / "rsyslog.conf"
    configuration.touch(mode=0o600)
    values = {
        "directory": directory, "port": indexes.port, "ca": indexes.ca, "user": indexes.user, "password": indexes.password,
        "batch": _BATCH, "workers": _WORKERS, "index": indexes.alias("%$!realmId%"), "id": id_prefix,
        "inputs": "".join([_INPUT.format(broker=topic.bootstrap, topic=topic.name, group=group)] * _CONSUMERS),
    }  # fmt: skip
    configuration.write_text(re.sub("@(\\w+)@", lambda match: str(values[match[1]]), (Path(__file__).parent / "rsyslog.conf").read_text()))
    program = _program()
    assert program is not None
    with (directory / "output.log").open("wb") as output:
        process = subprocess.Popen(
            [program, "-n", "-f", str(configuration), "-i", str(directory / "pid")], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield [process.pid]
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    errors = directory / "errors.json"
    assert not errors.exists() or not errors.stat().st_size, f"rsyslog could not write everything: {errors.read_text()[:1000]}"


def _program() -> str | None:
    return shutil.which("rsyslogd") or shutil.which("rsyslogd", path="/usr/sbin:/sbin")
