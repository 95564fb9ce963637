"""Base64url is read strictly: bytes have one encoding."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyvault import base64url


@given(st.binary(max_size=100))
def test_bytes_come_back(data: bytes) -> None:
    assert base64url.decode(base64url.encode(data)) == data


@pytest.mark.parametrize("text", ["A", "AA==", "A+A", "A/A", "AA AA", "AA\n", "AB", "AAB", "ÄÄÄÄ", "AA.A"])
def test_another_encoding_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not base64url"):
        base64url.decode(text)


@given(st.text("ABab01-_", max_size=12))
def test_what_is_accepted_is_what_would_be_written(text: str) -> None:
    try:
        data = base64url.decode(text)
    except ValueError:
        return
    assert base64url.encode(data) == text
