"""dnsmasq's command line and files (dnsmasq(8), version 2.90).

Pure: values in, text out. Nothing that a user can name gets in unchecked: a host name that is no DNS label is left
out, addresses and MACs are parsed and printed again, an option that is none is left out.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from uuid import UUID

from nebula.model import dhcp_option
from nebula.view.records import DhcpHost, FixedIp, SubnetView

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
    """``--dhcp-hostsfile``: one line for each IPv4 address of ``subnets``, by port id; a tag where it has options."""
    known = {subnet.id for subnet in subnets}
    lines: list[str] = []
    for host in sorted(hosts, key=lambda item: item.port_id):
        if not _MAC.fullmatch(host.mac_address):
            continue
        name = "" if _OWN_WORD.fullmatch(host.hostname) else dns_label(host.hostname)
        for fixed_ip in sorted(host.fixed_ips):
            if fixed_ip.subnet_id in known:
                tag = f"set:{_port_tag(host)}" if host.options else ""
                fields = (host.mac_address.lower(), tag, name, str(IPv4Address(fixed_ip.ip_address)))
                lines.append(",".join(field for field in fields if field) + "\n")
    return "".join(lines)


def names_file(hosts: Iterable[DhcpHost], domain: str) -> str:
    """``--addn-hosts``: the names that the server answers for, with and without the domain (hosts(5))."""
    suffix = dns_name(domain)
    lines: set[str] = set()
    for host in hosts:
        name = dns_label(host.hostname)
        for fixed_ip in host.fixed_ips if name else ():
            whole = f"{name}.{suffix} " if suffix else ""
            lines.add(f"{ip_address(fixed_ip.ip_address)} {whole}{name}\n")
    return "".join(sorted(lines))


def options_file(
    subnets: Sequence[SubnetView], hosts: Iterable[DhcpHost] = (), answering: Iterable[FixedIp] = ()
) -> str:
    """``--dhcp-optsfile``: router, DNS servers and classless routes of each subnet, then the ports' own options.

    Of two values for one option dnsmasq sends the last, so that a port's own takes the place of its subnet's.
    A subnet without DNS servers has those ``answering`` for the names of the network's ports, or this very server
    where none are given; 0.0.0.0 stands for none at all, as in Neutron.

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
        own = [item.ip_address for item in sorted(answering) if item.subnet_id == subnet.id]
        servers = [str(item) for item in map(ip_address, subnet.dns_nameservers or own) if item.version == 4]
        if servers == ["0.0.0.0"]:
            lines.append(f"{tag},option:dns-server")
        elif servers:
            lines.append(f"{tag},option:dns-server,{','.join(servers)}")
        lines.append(f"{tag},option:router" if gateway is None else f"{tag},option:router,{gateway}")
    lines += dict.fromkeys(line for host in sorted(hosts, key=lambda item: item.port_id) for line in _own_options(host))
    return "".join(f"{line}\n" for line in lines)


def _own_options(host: DhcpHost) -> Iterator[str]:
    for option in sorted(host.options):
        with contextlib.suppress(ValueError):
            yield f"tag:{_port_tag(host)},{dhcp_option.line(option.name, option.value)}"


def _port_tag(host: DhcpHost) -> str:
    return f"port-{UUID(host.port_id)}"


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
    - Names: those of ``names_file`` and no others. The node's own (``--no-hosts``) and those that clients send
      (``--dhcp-ignore-names``) do not count, other servers are not asked (``--no-resolv``), and what of the domain is
      not known here does not exist (``--local``). ``--bind-dynamic``: only this device's addresses are bound.
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
        "--no-hosts",
        "--no-resolv",
        "--dhcp-ignore-names",
        f"--addn-hosts={folder}/addn_hosts",
        "--except-interface=lo",
        "--bind-dynamic",
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
        *((f"--domain={name}", f"--local=/{name}/") if name else ()),
    )


def _networks(subnets: Sequence[SubnetView]) -> list[tuple[SubnetView, IPv4Network]]:
    networks = [(subnet, ip_network(subnet.cidr)) for subnet in subnets]
    return [(subnet, network) for subnet, network in networks if isinstance(network, IPv4Network)]
