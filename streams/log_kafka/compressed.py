"""Compressed batches of others: none is unpacked that comes to more than `MOST_BYTES`.

Kafka's `max.message.bytes` counts compressed bytes, of which 4 MB can become gigabytes, and aiokafka unpacks whatever comes. So the answers
of brokers are looked through before aiokafka has them: in place of a batch that is too large stands one record that says what was there.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import mmap
import struct
import zlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import cramjam
import structlog
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder

from streams.event_log import UNREADABLE

_log = structlog.get_logger(__name__)
MOST_BYTES: Final = 64 << 20
"""What a batch may come to: sixteen times what the topics take uncompressed. Unless told else, producers put 16 KB to 1 MB into one."""

_FETCH: Final = 1
"""Kafka's number for fetching, among requests and answers."""
_LENGTH: Final = struct.Struct(">8xi")
_OVERHEAD: Final = 12
"""Bytes before those that the length counts: the first offset, and the length."""
_HEAD: Final = 61
_MAGIC_AT: Final = 16
_CODEC_AT: Final = 22
"""The lower byte of the attributes, whose lowest three bits are the codec."""
_MAGIC: Final = 2
"""The format of batches since Kafka 0.11; brokers since 3.0 write no other one."""

_GZIP, _SNAPPY, _LZ4, _ZSTD = 1, 2, 3, 4
_MOST_TIMES: Final = {_GZIP: 1032, _SNAPPY: 1 << 32, _LZ4: 255, _ZSTD: 32_768}
"""How many times its size compressed data can come to: deflate's 258 bytes in two bits, LZ4's 255 in a byte of length, zstd's block of
128 KB in 4 bytes. What that leaves no doubt of need not be measured. Snappy's data say what they come to, and are given that before
anything is unpacked, which costs nothing to look at. Of a codec that is not here aiokafka says that it knows none such."""
_INTO: Final = {_LZ4: cramjam.lz4.decompress_into, _ZSTD: cramjam.zstd.decompress_into}
"""What unpacks into room that it is given, and raises when that is full."""

_XERIAL: Final = b"\x82SNAPPY\0" + struct.pack(">ii", 1, 1)
_PIECE: Final = 1 << 20

Send = Callable[..., Awaitable[Any]]


def bounding(send: Send, topic: str, most: int = MOST_BYTES) -> Send:
    """A client's `send`, whose answers have no batch of the topic that comes to more than `most` bytes."""

    async def bounded_send(*request: Any, **how: Any) -> Any:
        answer = await send(*request, **how)
        if getattr(answer, "API_KEY", None) == _FETCH:
            answer.topics = [
                (name, [(*part[:-1], await _looked_through(part[-1], part[0], most)) for part in parts] if name == topic else parts)
                for name, parts in answer.topics
            ]
        return answer

    return bounded_send


def bounded(records: bytes, partition: int, most: int = MOST_BYTES) -> bytes:
    """The batches of the partition as they were fetched; in place of each that comes to more than `most` bytes a record that says so."""
    parts: list[bytes] = []
    kept = 0
    for start, end in _in_doubt(records, most):
        if not _fits(records[start + _CODEC_AT] & 7, records[start + _HEAD : end], most):
            parts += (records[kept:start], _stand_in(records[start:end], partition, most))
            kept = end
    return b"".join((*parts, records[kept:])) if parts else records


async def _looked_through(records: bytes | None, partition: int, most: int) -> bytes | None:
    if records is None or next(_in_doubt(records, most), None) is None:
        return records
    return await asyncio.to_thread(bounded, records, partition, most)  # it may take a tenth of a second for each that means harm


def _in_doubt(records: bytes, most: int) -> Iterator[tuple[int, int]]:
    """Where each batch begins and ends that may come to more. The last one is cut off, as often as not: it is fetched again."""
    start = 0
    while start + _HEAD <= len(records):
        end = start + _OVERHEAD + _LENGTH.unpack_from(records, start)[0]
        if not start + _HEAD <= end <= len(records):
            return
        codec = records[start + _CODEC_AT] & 7
        size = end - start - _HEAD
        if records[start + _MAGIC_AT] == _MAGIC and size * _MOST_TIMES.get(codec, 0) > most:
            yield start, end
        start = end


def _fits(codec: int, packed: bytes, most: int) -> bool:
    """Whether it comes to `most` bytes at most; what can't be unpacked does not."""
    try:
        if codec == _GZIP:
            return _gzip_fits(packed, most)
        if codec == _SNAPPY:
            return sum(_snappy_sizes(packed)) <= most
        with mmap.mmap(-1, most) as room:  # of which nothing is taken before something is written there
            return _INTO[codec](packed, room) <= most
    except (cramjam.DecompressionError, OSError, EOFError, ValueError, zlib.error, struct.error):
        return False


def _gzip_fits(packed: bytes, most: int) -> bool:
    size = 0
    with gzip.GzipFile(fileobj=io.BytesIO(packed)) as unpacking:
        while size <= most and (piece := unpacking.read(_PIECE)):
            size += len(piece)
    return size <= most


def _snappy_sizes(packed: bytes) -> Iterator[int]:
    """What each block says that it comes to, and is given room for; the format of Java's snappy has many, the raw one is one."""
    if not packed.startswith(_XERIAL):
        yield cramjam.snappy.decompress_raw_len(packed)
        return
    at = len(_XERIAL)
    while at < len(packed):
        [size] = struct.unpack_from(">i", packed, at)
        if size <= 0:
            raise ValueError("a block of no bytes")
        at += 4
        yield cramjam.snappy.decompress_raw_len(packed[at : at + size])
        at += size


def _stand_in(packed: bytes, partition: int, most: int) -> bytes:
    """A batch with the same offsets and of the same transaction, if any, and with one record, at the last of these offsets."""
    batch = DefaultRecordBatch(packed)
    if not batch.validate_crc():
        return packed  # damaged on its way: aiokafka sees that, too, and fetches it again
    first, last = batch.base_offset, batch.base_offset + batch.last_offset_delta
    _log.error("batch_too_large", partition=partition, first=first, last=last, compressed=len(packed), most=most)
    message = (
        f"the records at offsets {first} to {last} are one compressed batch, of {len(packed):,} bytes, that unpacks to more than {most:,}, "
        "or not at all, so it was not read; it stays in the topic as long as that keeps it: have its producer send smaller batches"
    )
    builder = DefaultRecordBatchBuilder(
        _MAGIC, 0, int(batch.is_transactional), batch.producer_id, batch.producer_epoch, batch.base_sequence, _PIECE
    )
    builder.append(batch.last_offset_delta, batch.max_timestamp, None, b"", [(UNREADABLE, message.encode())])
    built = builder.build()
    struct.pack_into(">q", built, 0, first)
    return bytes(built)
