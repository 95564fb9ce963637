"""Tenantry as people run it: the service and the commands in processes of their own, which end whatever happens to the test."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from tests import engines
from tests.daemon import PATIENCE, ROOT, Daemon

OWN: Final = "NOT event.provider:tenantry"
"""The query for what identity providers said, without what Tenantry says about itself."""

NDJSON: Final = {"Content-Type": "application/x-ndjson"}
_MAIN: Final = "import sys; sys.argv[0] = 'tenantry'; from services.cli import main; main()"
_LIMITED: Final = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({bytes}, resource.RLIM_INFINITY)); "
_POLL_SECONDS: Final = 0.03


def argv(*arguments: str, largest_file: int | None = None, first: str = "") -> Sequence[str]:
    """The command line of `tenantry` with these arguments, in this Python.

    Args:
        arguments: of the command.
        largest_file: bytes; writing a file beyond them fails, as on a full disk.
        first: Python that it runs before it begins.
    """
    limit = _LIMITED.format(bytes=largest_file) if largest_file is not None else ""
    return (sys.executable, "-c", f"{first}\n{limit}{_MAIN}", *arguments)


def environment(data: Path, **settings: object) -> dict[str, str]:
    """The environment of a process: this one's without its settings, and with these: `port=1` is TENANTRY_PORT=1."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TENANTRY_")}
    given = {f"TENANTRY_{name.upper()}": str(value) for name, value in {**engines.settings(data), **settings}.items()}
    return {**kept, "TENANTRY_DATA": str(data), "COLUMNS": "250", **given}


@dataclass(frozen=True)
class Ran:
    """A command that has ended: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it wrote, as JSON."""
        return json.loads(self.out)


@asynccontextmanager
async def spawned(
    command: Sequence[str], env: Mapping[str, str], *, stdin: int = asyncio.subprocess.DEVNULL
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process, with its outputs to be read; killed when the context is left, if it has not ended by then."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, env=env, cwd=ROOT, stdin=stdin, stdout=pipe, stderr=pipe, limit=1 << 24)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()  # to the end of its outputs: then nothing of it is left


async def tenantry(*arguments: str, data: Path, stdin: bytes | None = None, patience: float = PATIENCE, **settings: object) -> Ran:
    """Runs a command to its end, for which it has `patience` seconds."""
    pipe = asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL
    async with asyncio.timeout(patience), spawned(argv(*arguments), environment(data, **settings), stdin=pipe) as process:
        out, err = await process.communicate(stdin)
        assert process.returncode is not None
        return Ran(process.returncode, out.decode(), err.decode())


class Service(Daemon):
    """`tenantry serve` on a directory: to be killed, stopped and started again, each time on a free port."""

    def __init__(self, data: Path, **settings: object) -> None:
        """It is not started yet. `settings` as for `environment`."""
        super().__init__()
        self.data = data
        self.url = ""
        self._settings = {"sample": 0, "port": 0, **settings}
        self._http = httpx.AsyncClient(timeout=PATIENCE)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    @property
    def token(self) -> str:
        """The operator's token, which the first start has left."""
        return (self.data / "operator.token").read_text().strip()

    async def launch(self, *, largest_file: int | None = None, prefix: Sequence[str] = ()) -> None:
        """Starts the process, without waiting for it to serve; `prefix` is a command that runs the command behind it."""
        self.url = ""
        await self.spawn([*prefix, *argv("serve", largest_file=largest_file)], environment(self.data, **self._settings))

    async def start(self, *, largest_file: int | None = None, prefix: Sequence[str] = ()) -> None:
        """Starts the process, and returns when it is ready."""
        await self.launch(largest_file=largest_file, prefix=prefix)
        async with asyncio.timeout(PATIENCE):
            await self.ready.wait()
            assert self.url, "it ended before it listened:\n" + "\n".join(self.lines)
            assert (await self.get("/readyz")).status_code == 200

    async def ended(self) -> int:
        """Returns its exit code when it has ended."""
        code = await super().ended()
        self.url = ""
        return code

    async def close(self) -> None:
        """Ends whatever is left."""
        await super().close()
        await self._http.aclose()

    async def run(self, *arguments: str, stdin: bytes | None = None, patience: float = PATIENCE) -> Ran:
        """Runs a command on the same directory and, if it serves, against this service."""
        return await tenantry(*arguments, data=self.data, stdin=stdin, patience=patience, port=self.port if self.url else 1)

    async def ask(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Asks as the operator."""
        headers = {"Authorization": f"Bearer {self.token}", **request.pop("headers", {})}
        return await self._http.request(method, f"{self.url}{path}", headers=headers, **request)

    async def get(self, path: str, **params: Any) -> httpx.Response:
        """Reads as the operator."""
        return await self.ask("GET", path, params=params)

    async def post(self, path: str, body: Any) -> httpx.Response:
        """Commands as the operator."""
        return await self.ask("POST", path, json=body)

    async def create(self, tenant: str, *sources: dict[str, str]) -> None:
        """Creates a tenant."""
        answer = await self.ask("PUT", f"/v1/tenants/{tenant}", json={"display_name": tenant.capitalize(), "sources": list(sources)})
        assert answer.status_code in {200, 201}, answer.text

    async def settled(self) -> None:
        """Returns when everything that is in the log can be found. Nothing tells across processes, so it is asked for."""
        async with asyncio.timeout(PATIENCE):
            while any((said := (await self.get("/readyz")).json())["lag"].values()) or said["behind"]:  # noqa: ASYNC110 -- in another process
                await asyncio.sleep(_POLL_SECONDS)

    async def exported(self, tenant: str, q: str = OWN) -> list[dict[str, Any]]:
        """All of a tenant's events, in the order of its log."""
        answer = await self.get(f"/v1/tenants/{tenant}/events/export", q=q)
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.split("\n") if line]

    async def counts(self, tenant: str, by: str = "event.action", q: str = OWN) -> Counter[str]:
        """How many events there are of each value."""
        answer = await self.get(f"/v1/tenants/{tenant}/events/counts", by=by, q=q, size=1000)
        assert answer.status_code == 200, answer.text
        counted = answer.json()
        found = Counter({bucket["value"]: bucket["count"] for bucket in counted["buckets"]})
        assert by != "event.action" or found.total() == counted["total"], "every event has an action"
        return found

    def heard(self, line: str) -> bool:
        """Whether this line of its log tells that it works."""
        if not line.startswith("Tenantry listens on "):
            return False
        self.url = line.rsplit(maxsplit=1)[-1]
        return True


@asynccontextmanager
async def service(data: Path, *, start: bool = True, **settings: object) -> AsyncIterator[Service]:
    """A service on the directory, ended when the context is left."""
    made = Service(data, **settings)
    try:
        if start:
            await made.start()
        yield made
    finally:
        await made.close()


def ndjson(path: Path, events: Iterable[Mapping[str, Any] | bytes]) -> Path:
    """Writes the events to the file, one a line; bytes as they are."""
    path.write_bytes(b"".join((event if isinstance(event, bytes) else json.dumps(event).encode()) + b"\n" for event in events))
    return path
