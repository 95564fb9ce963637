"""The address of a call: what is one, and what of it may be shown."""

from __future__ import annotations

import pytest

from services.errors import AddressRefused
from services.outbound.target import Target, origin


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hook",
        "/hook",
        "ftp://127.0.0.1/",
        "ftp://127.0.0.1:21/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:70/",
        "https://",
        "https:///path",
        "https://127.0.0.1:0/",
        "https://127.0.0.1:65536/",
        "https://127.0.0.1:x/",
        "https://exa mple/",
        "https://host/\r\nX: y",
        "https://[::1/",
        "https://" + "a" * 2048,
        "https://user:geheim@127.0.0.1/",
        "https://geheim@127.0.0.1/",
    ],
)
def test_what_is_no_address_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(AddressRefused) as refused:
        Target.parse(url)
    assert "geheim" not in str(refused.value)


def test_a_target_shows_its_host_only() -> None:
    assert repr(Target.parse("https://hook.example/s3cret?key=s3cret")) == "Target('hook.example', 443)"
    assert Target.parse("https://bücher.example/").host == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hook.example/s3cret?key=s3cret", "https://hook.example"),
        ("https://hook.example:8443/s3cret", "https://hook.example:8443"),
        ("http://s3cret:s3cret@hook.example/", "http://hook.example"),
        ("https://[2001:db8::1]:8443/s3cret", "https://[2001:db8::1]:8443"),
        ("https://hook.example:s3cret/", ""),
        ("https://[s3cret", ""),
        ("s3cret", ""),
        ("", ""),
    ],
)
def test_an_origin_is_whom_a_url_leads_to_without_its_secrets(url: str, shown: str) -> None:
    assert origin(url) == shown
