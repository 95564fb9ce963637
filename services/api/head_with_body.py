"""The transport of one answer: its head goes out together with the beginning of its body."""

from __future__ import annotations

import asyncio


class HeadWithBody(asyncio.Transport):
    """Keeps what an answer begins with until more of it comes, or everybody else on the event loop had a turn.

    uvicorn writes the head and then the body, and uvloop hands each to the system at once: two calls, which are what a short answer
    costs most, two packets, and a client that reads twice.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        """Writes to this one. It has what uvicorn needs of a transport for an answer, and no more."""
        super().__init__()
        self._transport = transport
        self._kept = b""
        self._begun = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Writes it, sooner or later, and in the order in which it comes."""
        if not self._begun:
            self._begun = True
            self._kept = bytes(data)
            asyncio.get_running_loop().call_soon(self._flush)
        elif self._kept:
            self._transport.write(self._kept + data)
            self._kept = b""
        else:
            self._transport.write(data)

    def close(self) -> None:
        """Closes it, once what is kept is written."""
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether it is closed, or about to be."""
        return self._transport.is_closing()

    def _flush(self) -> None:
        if self._kept and not self._transport.is_closing():
            self._transport.write(self._kept)
        self._kept = b""
