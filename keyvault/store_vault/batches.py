"""`Batches`: what is to be signed with one key while requests are under way goes into the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from keyvault.errors import KeyStoreError, KeyStoreUnavailable
from keyvault.key_store import KeyName

_AT_ONCE: Final = 4
"""Requests for one key at once, if there are enough messages to fill them."""

_MOST_BYTES: Final = 256 * 1024
"""In one request, unless a single message has more: what is too large for Vault then fails alone."""

Send = Callable[[KeyName, Sequence[bytes]], Awaitable[Sequence[bytes | KeyStoreError]]]


class _Call:
    """The messages of one caller, and where their signatures go."""

    def __init__(self, messages: Sequence[bytes]) -> None:
        self.messages = messages
        self.signatures: list[bytes] = [b""] * len(messages)
        self.left = len(messages)
        self.done: asyncio.Future[Sequence[bytes]] = asyncio.get_running_loop().create_future()

    def put(self, place: int, signature: bytes | KeyStoreError) -> None:
        if isinstance(signature, KeyStoreError):
            self.fail(signature)
            return
        self.signatures[place] = signature
        self.left -= 1
        if not self.left and not self.done.done():
            self.done.set_result(self.signatures)

    def fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)


class _Lane:
    """What waits for one key."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[_Call, int]] = deque()
        self.requests = 0
        self.under_way = 0
        """Messages in these requests."""

    def share(self, most: int) -> int:
        """How many messages may go into a request now."""
        waiting = len(self.waiting)
        if not self.requests or (waiting >= most and self.requests < _AT_ONCE):
            return most
        if self.requests == 1 and waiting >= self.under_way:
            return min(most, (waiting + self.under_way + 1) // 2)
        return 0

    def take(self, most: int) -> list[tuple[_Call, int]]:
        """The next messages, without those whose callers have gone."""
        taken: list[tuple[_Call, int]] = []
        size = 0
        while self.waiting and len(taken) < most:
            call, place = self.waiting[0]
            if not call.done.done():
                size += len(call.messages[place])
                if taken and size > _MOST_BYTES:
                    break
                taken.append((call, place))
            self.waiting.popleft()
        return taken


class Batches:
    """Collects what is to be signed.

    A second request goes while one is under way once it is at least as large, and takes its half of both: so Vault has one to work on
    while the callers of the other get their answers and come again. What more there is waits; from a full batch on, more requests go at
    once. A key's trouble is its own, and a caller who does not wait any longer takes only its own messages away.
    """

    def __init__(self, send: Send, most: Callable[[KeyName], int]) -> None:
        """Collects for this.

        Args:
            send: has messages signed in one request: a signature, or what was wrong with that message.
            most: how many messages that may be, for the key.
        """
        self._send = send
        self._most = most
        self._lanes: dict[KeyName, _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def sign(self, name: KeyName, messages: Sequence[bytes]) -> Sequence[bytes]:
        """The signatures of the messages, in their order. Raises what `send` raises."""
        if not messages:
            return []
        call = _Call(messages)
        lane = self._lanes.setdefault(name, _Lane())
        lane.waiting.extend((call, place) for place in range(len(messages)))
        self._start(name, lane)
        return await call.done

    def close(self) -> None:
        """Nothing is sent any more; who waits gets an error."""
        for lane in self._lanes.values():
            for call, _ in lane.waiting:
                call.fail(KeyStoreUnavailable("the key store was closed before it signed"))
            lane.waiting.clear()

    def _start(self, name: KeyName, lane: _Lane) -> None:
        most = self._most(name)
        while lane.waiting and (share := lane.share(most)):
            if batch := lane.take(share):
                lane.requests += 1
                lane.under_way += len(batch)
                task = asyncio.create_task(self._carry(name, lane, batch))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        if not lane.waiting and not lane.requests:
            self._lanes.pop(name, None)

    async def _carry(self, name: KeyName, lane: _Lane, batch: list[tuple[_Call, int]]) -> None:
        try:
            signatures = await self._send(name, [call.messages[place] for call, place in batch])
            for (call, place), signature in zip(batch, signatures, strict=True):
                call.put(place, signature)
        except Exception as error:  # noqa: BLE001 -- it is the callers'
            for call, _ in batch:
                call.fail(error)
        except BaseException:
            for call, _ in batch:
                call.fail(KeyStoreUnavailable("the key store was closed while it signed"))
            raise
        finally:
            lane.requests -= 1
            lane.under_way -= len(batch)
            self._start(name, lane)
