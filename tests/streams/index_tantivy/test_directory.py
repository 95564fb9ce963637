"""What survives on disk: kills, leftovers, corruption, a full disk."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from streams.errors import IndexUnavailable, QueryError
from streams.index_tantivy.index import TantivyIndex
from streams.query.parser import parse
from streams.query.tree import MatchAll
from streams.scope import TenantScope
from tests.contract.index_suite import ACME, ALL, GLOBEX, event


async def filled(root: Path, count: int = 3) -> None:
    index = TantivyIndex(root)
    await index.prepare(ACME)
    await index.write({ACME: [event(number) for number in range(count)]})
    await index.close()


async def test_what_was_written_is_there_after_closing(tmp_path: Path) -> None:
    await filled(tmp_path)
    index = TantivyIndex(tmp_path)
    assert not await index.prepare(ACME)
    assert await index.count(ACME, ALL) == 3
    await index.close()


async def test_removes_a_generation_that_a_killed_rebuild_left(tmp_path: Path) -> None:
    await filled(tmp_path)
    (tmp_path / "acme" / "gen-2").mkdir()
    (tmp_path / "acme" / "gen-2" / "meta.json").write_text("{")

    index = TantivyIndex(tmp_path)
    await index.prepare(ACME)

    assert sorted(path.name for path in (tmp_path / "acme").iterdir()) == ["CURRENT", "gen-1"]
    await index.close()


async def test_keeps_one_generation_after_a_rebuild(tmp_path: Path) -> None:
    await filled(tmp_path)
    index = TantivyIndex(tmp_path)
    async with index.rebuild(ACME) as generation:
        await generation.write([event(7)])
    assert sorted(path.name for path in (tmp_path / "acme").iterdir()) == ["CURRENT", "gen-2"]
    await index.close()


@pytest.mark.parametrize("broken", ["CURRENT", "gen-1/meta.json"])
async def test_says_what_to_do_about_a_broken_directory(tmp_path: Path, broken: str) -> None:
    await filled(tmp_path)
    (tmp_path / "acme" / broken).write_text("{]")
    index = TantivyIndex(tmp_path)

    for call in (index.prepare(ACME), index.count(ACME, ALL)):
        with pytest.raises(IndexUnavailable, match=r"acme.*move the directory away"):
            await call
    await index.close()


async def test_a_broken_directory_defers_its_own_tenant_only(tmp_path: Path) -> None:
    await filled(tmp_path)
    (tmp_path / "acme" / "CURRENT").write_text("{]")
    index = TantivyIndex(tmp_path)
    await index.prepare(GLOBEX)

    written = await index.write({ACME: [event(1)], GLOBEX: [event(1)]})

    assert (len(written[ACME].deferred), written[GLOBEX].indexed) == (1, 1)
    assert "move the directory away" in written[ACME].trouble
    await index.close()


async def test_only_one_process_writes(tmp_path: Path) -> None:
    one, two = TantivyIndex(tmp_path), TantivyIndex(tmp_path)
    await one.prepare(ACME)
    await one.write({ACME: [event(1)]})

    with pytest.raises(IndexUnavailable):
        await two.write({ACME: [event(2)]})

    await one.close()
    assert (await two.write({ACME: [event(2)]}))[ACME].indexed == 1
    await two.close()


async def test_many_tenants_share_few_writers_and_readers(tmp_path: Path) -> None:
    scopes = [TenantScope(f"tenant-{number}") for number in range(12)]
    index = TantivyIndex(tmp_path, writers=2, readers=3)
    for scope in scopes:
        await index.prepare(scope)

    for turn in range(3):
        batch = [event(10 * turn + number) for number in range(5)]
        writes = [index.write(dict.fromkeys(scopes[half::2], batch)) for half in (0, 1)]
        searches = [index.count(scope, ALL) for scope in scopes]
        await asyncio.gather(*writes, *searches)
        assert {await index.count(scope, ALL) for scope in scopes} == {5 * (turn + 1)}

    await index.close()


async def test_refuses_a_phrase_whose_end_means_too_many_words(tmp_path: Path) -> None:
    await filled(tmp_path, 0)
    index = TantivyIndex(tmp_path)
    await index.write({ACME: [event(1, user_name=[f"user x{number}" for number in range(17_000)])]})
    with pytest.raises(QueryError, match="begin like"):
        await index.count(ACME, parse("user_x*", now=0))
    assert await index.count(ACME, parse("user_x16*", now=0)) == 1
    await index.close()


WRITER = """
import asyncio, sys
from pathlib import Path
from streams.index_tantivy.index import TantivyIndex
from tests.contract.index_suite import ACME, event

async def main(root, start):
    index = TantivyIndex(Path(root), heap=15_000_000)
    await index.prepare(ACME)
    while True:
        await index.write({ACME: [event(number) for number in range(start, start + 50)]})
        start += 50
        print(start, flush=True)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


@pytest.mark.parametrize("kills", [5, pytest.param(20, marks=pytest.mark.long)])
async def test_loses_nothing_to_kills(tmp_path: Path, kills: int) -> None:
    start = 0
    dice = random.Random(kills)
    for _ in range(kills):
        command = [sys.executable, "-c", WRITER, str(tmp_path), str(start)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:  # noqa: ASYNC220 - nothing else is to run meanwhile
            assert writer.stdout is not None
            for _ in range(dice.randint(1, 12)):
                start = int(writer.stdout.readline())
            writer.kill()
            rest = writer.stdout.read().split()
        start = int(rest[-1]) if rest else start

        index = TantivyIndex(tmp_path)
        assert not await index.prepare(ACME)
        assert await index.positions(ACME, [(0, start - 1)]) == start  # all that was answered for, each once
        assert (await index.count(ACME, MatchAll())) in {start, start + 50}  # and no half of a batch
        assert (await index.write({ACME: [event(start - 1)]}))[ACME].duplicates == 1  # its lock went with it
        await index.close()


FULL = """
import asyncio, json, resource, sys
from pathlib import Path
from streams.errors import IndexUnavailable
from streams.index_tantivy.index import TantivyIndex
from tests.contract.index_suite import ACME, ALL, GLOBEX, event

async def main(root):
    index = TantivyIndex(Path(root))
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    try:
        await index.write({ACME: [event(number, idp={"x": f"{number:0500}"}) for number in range(100, 2100)]})
        failed = False
    except IndexUnavailable:
        failed = True
    found = await index.count(ACME, ALL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    again = (await index.write({ACME: [event(number) for number in range(100, 2100)]}))[ACME].indexed
    await index.close()
    print(json.dumps([failed, found, again]))

asyncio.run(main(sys.argv[1]))
"""


async def test_a_full_disk_leaves_nothing_half_visible(tmp_path: Path) -> None:
    await filled(tmp_path)
    # The limit on a file's size stands for a disk without space; it is the process's own, hence another process.
    run = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False)  # noqa: ASYNC221 - as above
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == [True, 3, 2000]
