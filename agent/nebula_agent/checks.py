"""What must be there before the agent starts, each with what to do where it is not.

Effects: reads the machine's state; changes nothing. Every problem is a ConfigError with one line for a person.
"""

from __future__ import annotations

import os
import shutil

import msgspec

from nebula.errors import ConfigError
from nebula_agent.edge import rtnl
from nebula_agent.edge.netlink import Netlink
from nebula_agent.edge.ovsdb_rows import OvsState

_PROGRAMS = {
    "ovs-ofctl": "openvswitch-switch",
    "iptables-save": "iptables",
    "iptables-restore": "iptables",
    "dnsmasq": "dnsmasq-base",
    "udhcpc": "udhcpc",
    "ip": "iproute2",
}


class Underlay(msgspec.Struct, frozen=True):
    """The device that has the VTEP address."""

    device: str
    mtu_bytes: int


def check_machine() -> None:
    """Root (maybe only of a user namespace), and the programs that the agent runs."""
    if os.geteuid() != 0:
        raise ConfigError("nebula-agent changes network namespaces: run it as root (sudo), or in a user namespace")
    for program, package in _PROGRAMS.items():
        if shutil.which(program) is None:
            raise ConfigError(f"{program} is not installed: run apt-get install {package}")


def check_underlay(vtep_ip: str, state: OvsState, *, through_ovs: bool) -> Underlay:
    """The VTEP address is on this node, and, for OVS's userspace tunnels (``through_ovs``), on a bridge's own port."""
    with Netlink() as netlink:
        links = {link.index: link for link in map(rtnl.parse_link, netlink.dump(rtnl.dump_links()))}
        addresses = [rtnl.parse_address(body) for body in netlink.dump(rtnl.dump_addresses())]
    found = next((item for item in addresses if item.cidr.partition("/")[0] == vtep_ip), None)
    if found is None or found.index not in links:
        raise ConfigError(
            f"the VTEP address {vtep_ip} is not on this node: add it to the underlay's device, or set --vtep-ip"
        )
    link = links[found.index]
    if through_ovs and link.name not in state.bridges:
        raise ConfigError(
            f"the VTEP address {vtep_ip} is on {link.name}, but OVS's userspace datapath (netdev) sends tunnels only "
            f"through a bridge of its own: make one (ovs-vsctl add-br br-phy -- set bridge br-phy "
            f"datapath_type=netdev -- add-port br-phy {link.name}) and move the address to br-phy, "
            "or set --overlay kernel"
        )
    return Underlay(link.name, link.mtu_bytes)
