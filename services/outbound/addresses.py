"""Which addresses may be called for a tenant: those of the public Internet, unless the operator allows others."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# By the special-purpose registries of IANA (RFC 6890), and not by Python's alone, which changes with its version.
_REFUSED: Final[dict[str, tuple[str, ...]]] = {
    "unspecified": ("0.0.0.0/8", "::/128"),
    "loopback": ("127.0.0.0/8", "::1/128"),
    "of a cloud's metadata service": ("169.254.169.254", "168.63.129.16/32", "100.100.100.200/32", "192.0.0.192", "fd00:ec2::254/128"),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"),
    "link-local": ("169.254.0.0/16", "fe80::/10"),
    "of a carrier's NAT": ("100.64.0.0/10",),
    "multicast": ("224.0.0.0/4", "ff00::/8"),
    "for documentation": ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
    "for benchmarks": ("198.18.0.0/15",),
    "of an IPv4 tunnel or translation": ("192.88.99.0/24", "::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "2002::/16"),
    "reserved": ("192.0.0.0/24", "240.0.0.0/4", "100::/64", "2001::/23", "5f00::/16"),
}
_NAMED: Final[tuple[tuple[Network, str], ...]] = tuple((ip_network(text), what) for what, texts in _REFUSED.items() for text in texts)
_IPV6_GLOBAL: Final = IPv6Network("2000::/3")
"""All that is given out of IPv6 (RFC 4291 section 2.4)."""
_NAT64: Final = IPv6Network("64:ff9b::/96")
_ELSE: Final = "not of the public Internet"


def refusal(address: Address) -> str | None:
    """What the address is, in words for people, if it may not be called; None for one of the public Internet."""
    if address in _NAT64:  # where there is only IPv6, all IPv4 hosts are reached by it (RFC 6052): what counts is what it leads to
        return refusal(IPv4Address(int(address) & 0xFFFF_FFFF))
    for network, what in _NAMED:
        if address in network:
            return what
    if isinstance(address, IPv6Address) and address not in _IPV6_GLOBAL:
        return _ELSE
    return None if address.is_global else _ELSE
