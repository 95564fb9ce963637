"""IP addresses and networks as integers: IPv4 in its IPv4-mapped IPv6 form, so that both families share one order."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final

from streams.errors import QueryError

_MAPPED: Final = 0xFFFF << 32
LOWEST: Final = 0
HIGHEST: Final = (1 << 128) - 1

_LONGEST = 64  # characters of an address, with room for a zone


def number(text: str) -> int | None:
    """The address as an integer, or None if the text is no address (one with a zone, as `fe80::1%eth0`, is none here)."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return _MAPPED | int(address)
    return None if address.scope_id else int(address)


def text_of(value: int) -> str:
    """The canonical text of the address: an IPv4-mapped one is written as IPv4."""
    if value >> 32 == _MAPPED >> 32:
        return str(ipaddress.IPv4Address(value & 0xFFFF_FFFF))
    return str(ipaddress.IPv6Address(value))


def canonical(text: str) -> str | None:
    """The canonical text of an address, or None if it is none."""
    return _canonical(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=65536)  # addresses repeat, and parsing one costs as much as the rest of an event
def _canonical(text: str) -> str | None:
    value = number(text)
    return None if value is None else text_of(value)


def parse_network(text: str, *, position: int | None) -> tuple[int, int]:
    """The first and last address of a network in CIDR notation, or of a single address. Bits behind the prefix are ignored.

    Raises:
        QueryError: it is neither, at `position`.
    """
    if "/" not in text:
        value = number(text)
        if value is None:
            hint = 'write it as 10.0.0.1, as "2001:db8::1", or a network as 10.0.0.0/8'
            raise QueryError(f"`{text[:60]}` is not an IP address", position=position, hint=hint)
        return value, value
    address, _, bits = text.partition("/")
    first = number(address)
    width = 128 if ":" in address else 32
    if first is None or not (bits.isascii() and bits.isdigit() and len(bits) <= 3 and int(bits) <= width):
        raise QueryError(f"`{text[:60]}` is not a network", position=position, hint='write it as 10.0.0.0/8 or "2001:db8::/32"')
    host = (1 << (width - int(bits))) - 1
    return first & ~host, first | host
