"""Port security and security groups, rule by rule: masks of ports, text of addresses, what costs how much."""

from __future__ import annotations

from ipaddress import ip_network

import msgspec
import pytest
from compile_views import scenario
from hypothesis import given
from hypothesis import strategies as st

from nebula.compile import compile_node
from nebula.compile.features.security import link_local
from nebula.compile.pipeline import text
from nebula.compile.pipeline.rules import port_masks
from nebula.desired.kinds import Flow
from nebula.view.records import AddressSet


@given(st.integers(0, 65535), st.integers(0, 65535))
def test_masks_are_exactly_the_range(first: int, second: int) -> None:
    """The masks of a range overlap nowhere, and their first and last ports are those of the range."""
    low, high = sorted((first, second))
    masks = list(port_masks(low, high))
    sizes = [0x10000 - mask for _, mask in masks]
    ends = [value + size for (value, _), size in zip(masks, sizes, strict=True)]
    assert [value for value, _ in masks] == [low, *ends[:-1]]
    assert ends[-1] == high + 1
    assert all(value & mask == value for value, mask in masks)
    assert len(masks) <= 30


def test_link_local_is_made_of_the_mac() -> None:
    """As in Neutron's dump of a real port (RFC 4291, appendix A)."""
    assert str(link_local("fa:16:3e:9d:3c:34").network_address) == "fe80::f816:3eff:fe9d:3c34"


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ("192.0.2.7", "nw_src=192.0.2.7"),
        ("192.0.2.0/24", "nw_src=192.0.2.0/24"),
        ("0.0.0.0/0", ""),
        ("::/0", ""),
        ("2001:db8::/32", "ipv6_src=2001:db8::/32"),
        ("::ffff:1.2.3.4", "ipv6_src=::ffff:1.2.3.4"),
        ("::1.2.3.4", "ipv6_src=::1.2.3.4"),
        ("::1", "ipv6_src=::1"),
    ],
)
def test_addresses_are_written_as_ovs_prints_them(network: str, expected: str) -> None:
    """inet_ntop's form, prefixes only where they say something."""
    assert text.address("src", ip_network(network)) == expected


def _count(members: int) -> int:
    view, facts = scenario("security-groups")
    addresses = tuple(f"10.1.{number >> 8}.{number & 255}" for number in range(members))
    (first, *rest) = view.address_sets
    sets = (AddressSet(first.id, addresses), *rest)
    state = compile_node(msgspec.structs.replace(view, address_sets=sets), facts)
    return sum(isinstance(item, Flow) for item in state.values())


def test_a_member_costs_one_flow() -> None:
    """A remote group of m addresses and n ports costs n + m flows, not their product."""
    assert _count(500) - _count(100) == 400


def test_a_secured_port_costs_ten_flows() -> None:
    """With one IPv4 address and no rules; twelve with an IPv6 address as well."""
    view, facts = scenario("port-security")
    first, second = view.ports
    plain = msgspec.structs.replace(first, allowed_address_pairs=())
    only_ipv4 = msgspec.structs.replace(plain, fixed_ips=plain.fixed_ips[:1])
    counts = []
    for port in (only_ipv4, plain, second):
        state = compile_node(msgspec.structs.replace(view, ports=(port,)), facts)
        counts.append(sum(isinstance(item, Flow) and item.owner.id == port.id for item in state.values()))
    assert counts == [10, 12, 4]
