"""Logos: small pictures whose content, and not what somebody says of them, tells what they are.

PNG (ISO/IEC 15948), JPEG (ITU-T T.81) and WebP (RFC 9649). Each is walked through from its beginning to its end, so that nothing else can
hide behind a picture; SVG, which may hold scripts, is refused. No pixel is decoded here: that is the browser's work, in its own sandbox.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

from services.errors import Invalid

MAX_BYTES: Final = 32_768
"""It is kept in the control log, and in the memory of every node."""
MAX_SIDE: Final = 1024
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG: Final = b"\xff\xd8\xff"
_STARTS_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ANIMATED: Final = "it moves: take a still picture"


@dataclass(frozen=True, slots=True)
class Image:
    """A picture.

    Attributes:
        media_type: as its content says.
        width: in pixels.
        height: likewise.
        data: all of it.
    """

    media_type: str
    width: int
    height: int
    data: bytes

    @property
    def extension(self) -> str:
        """Of a file that holds it."""
        return {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp"}[self.media_type]


def check_image(data: bytes) -> Image:
    """The picture, if it can be a logo.

    Raises:
        Invalid: it can't; says why, and what to do.
    """
    if len(data) > MAX_BYTES:
        raise Invalid(f"logo: it has {len(data):,} bytes, and may have {MAX_BYTES:,}: make it smaller, as 256 pixels wide")
    try:
        media_type, width, height = _look(data)
    except (IndexError, ValueError) as error:
        raise Invalid(f"logo: {error if isinstance(error, _Wrong) else 'it is cut off or damaged'}") from None
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise Invalid(f"logo: it is {width} by {height} pixels, and may have 1 to {MAX_SIDE} each way")
    return Image(media_type, width, height, data)


class _Wrong(ValueError):
    """What is wrong with it, in words for whoever sent it."""


def _look(data: bytes) -> tuple[str, int, int]:
    if data.startswith(_PNG):
        return "image/png", *_png(data)
    if data.startswith(_JPEG):
        return "image/jpeg", *_jpeg(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp", *_webp(data)
    raise _Wrong(
        "it is neither PNG nor JPEG nor WebP, whatever its name says: save it as one of these (SVG may hold scripts, and is not taken)"
    )


def _png(data: bytes) -> tuple[int, int]:
    """Its size, by walking its chunks: length, type, content, checksum."""
    at, sides = len(_PNG), (0, 0)
    while True:
        length, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        content, end = data[at + 8 : at + 8 + length], at + 12 + length
        if end > len(data) or zlib.crc32(kind + content) != int.from_bytes(data[end - 4 : end]):
            raise ValueError
        if (at == len(_PNG)) != (kind == b"IHDR"):
            raise ValueError
        if kind == b"IHDR":
            sides = int.from_bytes(content[:4]), int.from_bytes(content[4:8])
        elif kind == b"acTL":
            raise _Wrong(_ANIMATED)
        elif kind == b"IEND":
            break
        at = end
    if end != len(data):
        raise _Wrong("something follows the end of the picture: save it anew")
    return sides


def _jpeg(data: bytes) -> tuple[int, int]:
    """Its size, by walking its segments up to the first frame; it ends with the marker of its end."""
    if not data.endswith(b"\xff\xd9"):
        raise _Wrong("something follows the end of the picture, or its end is missing: save it anew")
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ValueError
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        length = int.from_bytes(data[at + 2 : at + 4])
        if length < 2 or at + 2 + length > len(data):
            raise ValueError
        if marker in _STARTS_OF_FRAME:
            return int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])
        at += 2 + length


def _webp(data: bytes) -> tuple[int, int]:
    """Its size, which its first chunk tells: of the extended, the lossless, or the simple form."""
    if int.from_bytes(data[4:8], "little") + 8 != len(data):
        raise _Wrong("something follows the end of the picture, or its end is missing: save it anew")
    kind, content = data[12:16], data[20:]
    if kind == b"VP8X":
        if content[0] & 0x02:
            raise _Wrong(_ANIMATED)
        return int.from_bytes(content[4:7], "little") + 1, int.from_bytes(content[7:10], "little") + 1
    if kind == b"VP8L" and content[0] == 0x2F:
        bits = int.from_bytes(content[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and content[3:6] == b"\x9d\x01\x2a":
        return int.from_bytes(content[6:8], "little") & 0x3FFF, int.from_bytes(content[8:10], "little") & 0x3FFF
    raise ValueError
