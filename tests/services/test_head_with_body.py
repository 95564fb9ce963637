"""The head of an answer goes out with the beginning of its body, and alone where the body takes its time."""

from __future__ import annotations

import asyncio

from services.api.head_with_body import HeadWithBody

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class Wire(asyncio.Transport):
    """Keeps what is written, call by call."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed, "uvloop would raise"
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


async def test_head_and_body_are_one_write() -> None:
    wire = Wire()
    answer = HeadWithBody(wire)
    answer.write(HEAD)
    answer.write(b"ok")
    assert wire.written == [HEAD + b"ok"]
    await asyncio.sleep(0)
    assert wire.written == [HEAD + b"ok"]


async def test_an_empty_body_takes_the_head_along() -> None:
    wire = Wire()
    answer = HeadWithBody(wire)
    answer.write(HEAD)
    answer.write(b"")
    assert wire.written == [HEAD]
    answer.write(b"more")
    assert wire.written == [HEAD, b"more"]


async def test_a_head_whose_body_takes_its_time_does_not_wait_for_it() -> None:
    wire = Wire()
    answer = HeadWithBody(wire)
    answer.write(HEAD)
    assert wire.written == []
    await asyncio.sleep(0)
    assert wire.written == [HEAD]
    answer.write(b"o")
    answer.write(b"k")
    assert wire.written == [HEAD, b"o", b"k"], "only the head waits"


async def test_closing_writes_what_is_kept_first() -> None:
    wire = Wire()
    answer = HeadWithBody(wire)
    answer.write(HEAD)
    answer.close()
    assert wire.written == [HEAD]
    assert wire.closed
    assert answer.is_closing()
    await asyncio.sleep(0)
    assert wire.written == [HEAD]


async def test_nothing_is_written_to_a_connection_that_has_gone() -> None:
    wire = Wire()
    answer = HeadWithBody(wire)
    answer.write(HEAD)
    wire.close()  # as the client does
    await asyncio.sleep(0)
    answer.close()
    assert wire.written == []
