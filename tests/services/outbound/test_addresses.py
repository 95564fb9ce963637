"""Which addresses may be called: none that is not of the public Internet, in whatever form it comes."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import SettingsError
from services.outbound.addresses import Address, refusal
from services.outbound.allowed import Allowed

NAT64 = int(IPv6Address("64:ff9b::"))


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("0.0.0.0", "unspecified"),
        ("127.0.0.1", "loopback"),
        ("127.255.255.254", "loopback"),
        ("10.1.2.3", "private"),
        ("172.31.0.1", "private"),
        ("192.168.1.1", "private"),
        ("169.254.0.1", "link-local"),
        ("169.254.169.254", "of a cloud's metadata service"),
        ("168.63.129.16", "of a cloud's metadata service"),
        ("100.100.100.200", "of a cloud's metadata service"),
        ("fd00:ec2::254", "of a cloud's metadata service"),
        ("100.64.0.1", "of a carrier's NAT"),
        ("192.0.0.1", "reserved"),
        ("203.0.113.1", "for documentation"),
        ("198.19.0.1", "for benchmarks"),
        ("192.88.99.1", "of an IPv4 tunnel or translation"),
        ("224.0.0.1", "multicast"),
        ("255.255.255.255", "reserved"),
        ("::", "unspecified"),
        ("::1", "loopback"),
        ("fe80::1", "link-local"),
        ("fe80::1%eth0", "link-local"),
        ("fec0::1", "private"),
        ("fc00::1", "private"),
        ("ff02::1", "multicast"),
        ("2001:db8::1", "for documentation"),
        ("3fff::1", "for documentation"),
        ("2001::1", "reserved"),
        ("::ffff:8.8.8.8", "of an IPv4 tunnel or translation"),
        ("::8.8.8.8", "of an IPv4 tunnel or translation"),
        ("2002:808:808::1", "of an IPv4 tunnel or translation"),
        ("64:ff9b:1::8.8.8.8", "of an IPv4 tunnel or translation"),
        ("64:ff9b::10.0.0.1", "private"),
        ("64:ff9b::127.0.0.1", "loopback"),
        ("4000::1", "not of the public Internet"),
    ],
)
def test_what_is_not_public_is_refused_by_what_it_is(address: str, what: str) -> None:
    assert refusal(ip_address(address)) == what


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::8.8.8.8"])
def test_what_is_public_may_be_called(address: str) -> None:
    assert refusal(ip_address(address)) is None


@given(st.ip_addresses())
def test_nothing_that_python_knows_as_special_may_be_called(address: Address) -> None:
    special = (
        not address.is_global
        or address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )
    if special and int(address) >> 32 != NAT64 >> 32:
        assert refusal(address) is not None


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_hidden_in_no_ipv6_one(address: IPv4Address) -> None:
    number = int(address)
    assert refusal(IPv6Address(NAT64 | number)) == refusal(address)
    for prefix, shift in (("::", 0), ("::ffff:0:0", 0), ("::ffff:0:0:0", 0), ("64:ff9b:1::", 0), ("2002::", 80), ("2001::", 0)):
        assert refusal(IPv6Address(int(IPv6Address(prefix)) | number << shift)) is not None


@given(st.ip_addresses(), st.integers(0, 128))
def test_what_is_allowed_is_the_network_and_nothing_else(address: Address, length: int) -> None:
    network = ip_network(f"{address}/{min(length, address.max_prefixlen)}", strict=False)
    allowed = Allowed.parse(str(network))
    assert allowed.has("anything.example", address)
    outside = int(network.network_address) ^ 1 << (address.max_prefixlen - 1)
    if network.prefixlen:
        assert not allowed.has("anything.example", type(address)(outside))
    assert not Allowed().has("anything.example", address)


def test_a_host_is_allowed_by_its_own_name_only() -> None:
    allowed = Allowed.parse(" Hooks.Internal.example. , 10.0.0.0/8,, ::1 ,")
    assert allowed.networks == (ip_network("10.0.0.0/8"), ip_network("::1/128"))
    inside = ip_address("192.168.0.1")
    assert allowed.has("hooks.internal.example", inside)
    assert allowed.has("HOOKS.internal.example.", inside)
    assert not allowed.has("x.hooks.internal.example", inside)
    assert not allowed.has("internal.example", inside)
    assert not allowed.has("hooks.internal.example.evil", inside)


@pytest.mark.parametrize(
    "text", ["10.0.0.1/8", "10.0.0", "300.1.1.1", "*.example", "a b", "https://host", "host:443", "-a.example", "10.0.0.0/33"]
)
def test_what_is_neither_network_nor_host_is_named(text: str) -> None:
    with pytest.raises(SettingsError, match=r"TENANTRY_OUTBOUND_ALLOW: .* neither a network"):
        Allowed.parse(f"example.com,{text}")
