"""Logos: what they are is told by what is in them, to the last byte."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import Invalid
from services.tenants.image import MAX_BYTES, check_image
from tests.services.pictures import jpeg, png, webp_extended, webp_lossless, webp_lossy

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (png(40, 20), "image/png"),
        (jpeg(40, 20), "image/jpeg"),
        (webp_lossy(40, 20), "image/webp"),
        (webp_lossless(40, 20), "image/webp"),
        (webp_extended(40, 20), "image/webp"),
    ],
    ids=["png", "jpeg", "webp lossy", "webp lossless", "webp extended"],
)
def test_each_format_tells_its_size(data: bytes, media_type: str) -> None:
    image = check_image(data)
    assert (image.media_type, image.width, image.height, image.data) == (media_type, 40, 20, data)
    for end in range(1, len(data)):
        with pytest.raises(Invalid):
            check_image(data[:end])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (SVG, "neither PNG nor JPEG nor WebP"),
        (b"", "neither PNG nor JPEG nor WebP"),
        (b"GIF89a" + bytes(20), "neither PNG nor JPEG nor WebP"),
        (png(40, 20) + SVG, "something follows the end"),
        (jpeg(40, 20) + SVG, "something follows the end"),
        (webp_lossy(40, 20) + SVG, "something follows the end"),
        (png(40, 20, extra=[(b"acTL", struct.pack(">II", 2, 0))]), "it moves"),
        (webp_extended(40, 20, animated=True), "it moves"),
        (png(5000, 20), "5000 by 20 pixels"),
        (png(0, 20), "0 by 20 pixels"),
        (png(40, 20).replace(b"IDAT", b"IDAX"), "cut off or damaged"),
        (bytes(MAX_BYTES + 1), "32,769 bytes, and may have 32,768"),
    ],
)
def test_what_is_no_logo_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        check_image(data)


@given(st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x20\x00\x00\x00WEBP", b""]), st.binary(max_size=200))
def test_whatever_is_sent_is_a_picture_or_refused(start: bytes, rest: bytes) -> None:
    with suppress(Invalid):  # and nothing else
        image = check_image(start + rest)
        assert image.media_type.startswith("image/")


def test_a_chunk_whose_checksum_is_wrong_is_damage() -> None:
    data = bytearray(png(40, 20))
    data[20] ^= 1
    assert zlib.crc32(bytes(data)) != zlib.crc32(png(40, 20))
    with pytest.raises(Invalid, match="damaged"):
        check_image(bytes(data))
