"""Typed ids, and every name that Nebula gives to a kernel or OVS object.

Pure. A kernel interface name has at most 15 bytes (IFNAMSIZ 16 with the NUL), so device names carry the first
11 characters of the port's UUID, as in Neutron (``ovs_use_veth``): ``tap`` on the bridge's side; ``qr-``,
``qg-`` and ``ns-`` inside the namespaces.
"""

from __future__ import annotations

import enum
import uuid
from typing import NewType

import msgspec

NetworkId = NewType("NetworkId", str)
SubnetId = NewType("SubnetId", str)
PortId = NewType("PortId", str)
RouterId = NewType("RouterId", str)
InstanceId = NewType("InstanceId", str)
SecurityGroupId = NewType("SecurityGroupId", str)
SecurityGroupRuleId = NewType("SecurityGroupRuleId", str)
AddressGroupId = NewType("AddressGroupId", str)
FloatingIpId = NewType("FloatingIpId", str)
PortForwardingId = NewType("PortForwardingId", str)
Host = NewType("Host", str)

BR_INT = "br-int"
BR_TUN = "br-tun"
PATCH_TUN = "patch-tun"
"""End on br-int of the patch to br-tun (Neutron's name)."""
PATCH_INT = "patch-int"
"""End on br-tun of the patch to br-int (Neutron's name)."""
VXLAN_PORT = "vxlan"
"""The one flow-based tunnel port on br-tun."""
VXLAN_CHAIN = "nebula-vxlan"
"""The node's iptables chain that says whose VXLAN packets the kernel takes."""

COOKIE_MARK = 0x4E
"""Top byte ('N') of the cookie of every flow that is ours."""


class OwnerKind(enum.StrEnum):
    """Kinds of API object (and the node itself) that something on a node can belong to."""

    NODE = "node"
    NETWORK = "network"
    SUBNET = "subnet"
    PORT = "port"
    ROUTER = "router"
    INSTANCE = "instance"
    PEER = "peer"
    SECURITY_GROUP = "security_group"
    FLOATING_IP = "floating_ip"
    ADDRESS_GROUP = "address_group"


_COOKIE_KIND = {kind: number for number, kind in enumerate(OwnerKind, start=1)}
_KIND_OF_COOKIE = {number: kind for kind, number in _COOKIE_KIND.items()}


class Owner(msgspec.Struct, frozen=True, order=True):
    """The API object that is the reason for something on a node.

    ``id`` is a UUID, the node's host name for ``node``, or a VTEP address for ``peer``.
    """

    kind: OwnerKind
    id: str

    @property
    def mark(self) -> str:
        """``nebula:<kind>:<id>``: the text put into ifalias, external_ids, iptables comments."""
        return f"nebula:{self.kind}:{self.id}"

    @property
    def cookie(self) -> int:
        """64 bits: 0x4e, the kind, and the first 48 bits of the id's UUID (12 hexadecimal digits)."""
        try:
            value = uuid.UUID(self.id).int >> 80
        except ValueError:
            value = uuid.uuid5(uuid.NAMESPACE_DNS, self.id).int >> 80
        return COOKIE_MARK << 56 | _COOKIE_KIND[self.kind] << 48 | value


def parse_mark(text: str) -> Owner | None:
    """The owner named by a mark, or None where the text is not one of ours."""
    parts = text.split(":", 2)
    if len(parts) != 3 or parts[0] != "nebula":
        return None
    try:
        return Owner(OwnerKind(parts[1]), parts[2])
    except ValueError:
        return None


def cookie_is_ours(cookie: int) -> bool:
    """True when the cookie bears our mark and a known kind."""
    return cookie >> 56 == COOKIE_MARK and (cookie >> 48) & 0xFF in _KIND_OF_COOKIE


def owner_kind_of(cookie: int) -> OwnerKind:
    """The kind of object that a cookie of ours was made for. KeyError where the cookie is not ours."""
    return _KIND_OF_COOKIE[(cookie >> 48) & 0xFF]


def tap_name(port: PortId) -> str:
    """The bridge's end of a port's veth pair."""
    return f"tap{port[:11]}"


def router_interface_name(port: PortId) -> str:
    """The end inside the router's namespace of an internal interface."""
    return f"qr-{port[:11]}"


def router_gateway_name(port: PortId) -> str:
    """The end inside the router's namespace of the external gateway."""
    return f"qg-{port[:11]}"


def dhcp_device_name(port: PortId) -> str:
    """The end inside the DHCP namespace."""
    return f"ns-{port[:11]}"


def router_namespace(router: RouterId) -> str:
    """Name under /run/netns."""
    return f"qrouter-{router}"


def dhcp_namespace(network: NetworkId) -> str:
    """Name under /run/netns."""
    return f"qdhcp-{network}"


def instance_namespace(instance: InstanceId) -> str:
    """Name under /run/netns."""
    return f"instance-{instance}"


def vxlan_device_name(vni: int) -> str:
    """The kernel's VXLAN device of the network with that VNI (Neutron's Linux bridge agent uses the same name)."""
    return f"vxlan-{vni}"


def port_key(port: PortId) -> int:
    """The 32 bits that stand for the port in OpenFlow register 5: the first 8 hexadecimal digits of its UUID.

    The controller gives no two ports the same first 8 digits, so ``reg5=0xac62f68e`` is ``tapac62f68e-48``.
    """
    return int(port[:8], 16)


def int_patch_name(bridge: str) -> str:
    """End on br-int of the patch to a provider bridge (Neutron's ``int-br-ex``)."""
    return f"int-{bridge}"[:15]


def phy_patch_name(bridge: str) -> str:
    """End on the provider bridge of the patch to br-int (Neutron's ``phy-br-ex``)."""
    return f"phy-{bridge}"[:15]
