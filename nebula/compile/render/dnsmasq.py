"""dnsmasq's command line and files (dnsmasq(8), version 2.90).

Pure: values in, text out. Nothing that a user can name gets in unchecked: a host name that is no DNS label is left
out, addresses and MACs are parsed and printed again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network

from nebula.view.records import DhcpHost, SubnetView

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}", re.IGNORECASE)
_OWN_WORD = re.compile(r"ignore|infinite|\d+[smhdw]?", re.IGNORECASE)
"""What dnsmasq takes for an instruction or a lease time where a host name may stand (dnsmasq(8), --dhcp-host)."""
_MOST_LEASES = 1 << 24


def dns_label(name: str) -> str:
    """``name`` if it is one DNS label (RFC 1123: letters, digits, inner hyphens, at most 63), else ''."""
    return name if _LABEL.fullmatch(name) else ""


def dns_name(name: str) -> str:
    """``name`` if all its labels are DNS labels and it has at most 253 characters, else ''."""
    labels = name.removesuffix(".").split(".")
    return name if len(name) <= 253 and all(dns_label(label) for label in labels) else ""


def served(subnets: Iterable[SubnetView]) -> tuple[SubnetView, ...]:
    """The subnets that DHCP for IPv4 serves, sorted by id."""
    wanted = (subnet for subnet in subnets if subnet.enable_dhcp and subnet.ip_version == 4)
    return tuple(sorted(wanted, key=lambda subnet: subnet.id))


def host_file(hosts: Iterable[DhcpHost], subnets: Sequence[SubnetView]) -> str:
    """``--dhcp-hostsfile``: one line for each IPv4 address of ``subnets``, by port id."""
    known = {subnet.id for subnet in subnets}
    lines: list[str] = []
    for host in sorted(hosts, key=lambda item: item.port_id):
        if not _MAC.fullmatch(host.mac_address):
            continue
        name = "" if _OWN_WORD.fullmatch(host.hostname) else dns_label(host.hostname)
        for fixed_ip in sorted(host.fixed_ips):
            if fixed_ip.subnet_id in known:
                fields = (host.mac_address.lower(), name, str(IPv4Address(fixed_ip.ip_address)))
                lines.append(",".join(field for field in fields if field) + "\n")
    return "".join(lines)


def options_file(subnets: Sequence[SubnetView]) -> str:
    """``--dhcp-optsfile``: router, DNS servers and classless routes of each subnet.

    An option without a value is not sent, which keeps dnsmasq from naming itself as router. A client that takes
    classless routes ignores the router option, so they hold the default route too (RFC 3442, page 5); 249 is
    Microsoft's number for the same.
    """
    lines: list[str] = []
    for subnet in subnets:
        tag = f"tag:{subnet_tag(subnet)}"
        gateway = None if subnet.gateway_ip is None else IPv4Address(subnet.gateway_ip)
        routes = [(IPv4Network(route.destination), IPv4Address(route.nexthop)) for route in subnet.host_routes]
        if routes:
            default = IPv4Network("0.0.0.0/0")
            if gateway is not None and all(destination != default for destination, _ in routes):
                routes.append((default, gateway))
            text = ",".join(f"{destination},{nexthop}" for destination, nexthop in routes)
            lines += [f"{tag},option:classless-static-route,{text}", f"{tag},249,{text}"]
        servers = [str(address) for address in map(ip_address, subnet.dns_nameservers) if address.version == 4]
        if servers:
            lines.append(f"{tag},option:dns-server,{','.join(servers)}")
        lines.append(f"{tag},option:router" if gateway is None else f"{tag},option:router,{gateway}")
    return "".join(f"{line}\n" for line in lines)


def subnet_tag(subnet: SubnetView) -> str:
    """The tag that dnsmasq sets on a request from this subnet (Neutron's)."""
    return f"subnet-{subnet.id}"


def command(
    *, device: str, folder: str, subnets: Sequence[SubnetView], lease_time_s: int, mtu_bytes: int, domain: str
) -> tuple[str, ...]:
    """Command line of the server of one network; ``folder`` (absolute) holds its files.

    - Empty ``--user=`` and ``--group=`` leave the process what it is: in a user namespace with only root mapped
      it could not change them, and would not start.
    - No lease file: who may have which address stands in the host file, all of it. A restarted server knows
      nothing of leases of ports that are gone, and gives their address to its new owner.
    - ``--dhcp-ignore=tag:!known``: strangers get no answer, not even a refusal.
    """
    ranges = [
        f"--dhcp-range=set:{subnet_tag(subnet)},{network.network_address},static,{network.netmask},{lease_time_s}s"
        for subnet, network in _networks(subnets)
    ]
    size = sum(network.num_addresses for _, network in _networks(subnets))
    name = dns_name(domain)
    return (
        "dnsmasq",
        "--conf-file=/dev/null",
        "--user=",
        "--group=",
        "--port=0",
        "--no-hosts",
        "--no-resolv",
        "--except-interface=lo",
        "--bind-interfaces",
        f"--interface={device}",
        f"--pid-file={folder}/pid",
        f"--log-facility={folder}/log",
        f"--dhcp-hostsfile={folder}/host",
        f"--dhcp-optsfile={folder}/opts",
        "--leasefile-ro",
        "--dhcp-authoritative",
        "--dhcp-ignore=tag:!known",
        f"--dhcp-lease-max={min(size, _MOST_LEASES)}",
        *ranges,
        f"--dhcp-option-force=option:mtu,{mtu_bytes}",
        *((f"--domain={name}",) if name else ()),
    )


def _networks(subnets: Sequence[SubnetView]) -> list[tuple[SubnetView, IPv4Network]]:
    networks = [(subnet, ip_network(subnet.cidr)) for subnet in subnets]
    return [(subnet, network) for subnet, network in networks if isinstance(network, IPv4Network)]
