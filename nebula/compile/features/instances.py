"""Instances: a namespace in place of a virtual machine, with a DHCP client on each port.

Pure. A port of a network without DHCP gets its addresses set, as a config drive would do for a virtual machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address

from nebula.compile.features.routing import DEFAULT_ROUTE
from nebula.compile.render import dnsmasq
from nebula.compile.wiring import WiredPort, Wiring
from nebula.desired.kinds import Address, BridgePort, KernelObject, Key, Namespace, NextHop, Process, Route, VethPair
from nebula.ids import InstanceId, Owner, OwnerKind, instance_namespace
from nebula.view.records import InstanceView


def objects(node: Wiring) -> Iterator[KernelObject]:
    """Every instance, also one whose ports are not wired."""
    done: set[InstanceId] = set()
    for instance in sorted(node.view.instances, key=lambda item: item.id):
        if instance.id not in done:
            done.add(instance.id)
            yield from _instance(node, instance)


def host_name(name: str) -> str:
    """A DNS label made of a free name: other characters become hyphens; '' where nothing is left."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower())[:63].strip("-")


def _instance(node: Wiring, instance: InstanceView) -> Iterator[KernelObject]:
    namespace = instance_namespace(instance.id)
    owner = Owner(OwnerKind.INSTANCE, instance.id)
    yield Namespace(namespace, owner)
    has_default_route = False
    for port in node.ports_at(namespace):
        served = {subnet.id for subnet in dnsmasq.served(port.network.subnets)}
        if any(fixed_ip.subnet_id in served for fixed_ip in port.port.fixed_ips):
            has_default_route = True
            yield _client(node, port, namespace, host_name(instance.name))
        else:
            yield from _static_addresses(port, namespace)
    if not has_default_route:
        yield from _static_route(node.ports_at(namespace), namespace, owner)


def _client(node: Wiring, port: WiredPort, namespace: str, name: str) -> Process:
    """udhcpc (busybox 1.35) in the foreground, for as long as the instance lives.

    - ``-t 3 -T 1 -A 1``: a DISCOVER at once and then every second (the client counts in whole seconds) until there
      is a server; SIGUSR1 makes it ask at once.
    - ``-R``: at its end it gives the address back, so that another port can have it.
    - ``-O``: the MTU and classless routes are only sent to who asks.
    """
    pid_file = f"{node.facts.state_folder}/udhcpc/{port.id}/pid"
    argv = (
        *("udhcpc", "-f", "-i", port.inner_device, "-p", pid_file, "-s", node.facts.dhcp_client_script),
        *("-t", "3", "-T", "1", "-A", "1", "-R", "-O", "mtu", "-O", "staticroutes"),
        *(("-x", f"hostname:{name}") if name else ()),
    )
    needs = (Key(VethPair.kind, port.device), Key(BridgePort.kind, port.device))
    return Process(f"udhcpc:{port.id}", namespace, argv, pid_file, port.owner, needs)


def _static_addresses(port: WiredPort, namespace: str) -> Iterator[Address]:
    for interface in port.interfaces:
        yield Address(namespace, port.inner_device, str(interface), port.device, port.owner)


def _static_route(ports: tuple[WiredPort, ...], namespace: str, owner: Owner) -> Iterator[Route]:
    """By the first gateway among the ports' subnets, in the order of the devices."""
    for port in ports:
        for interface in port.interfaces:
            for subnet in port.network.subnets:
                if subnet.gateway_ip is None or subnet.ip_version != 4:
                    continue
                if IPv4Address(subnet.gateway_ip) in interface.network:
                    hop = NextHop(subnet.gateway_ip, port.inner_device, port.device)
                    yield Route(namespace, DEFAULT_ROUTE, (hop,), owner)
                    return
