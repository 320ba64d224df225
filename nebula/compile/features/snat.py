"""NAT: what leaves through a router's gateway bears the gateway's address, or the floating one of its sender.

Pure. Floating IPs (RFC 3022, both ways) and port forwardings work with and without SNAT for the rest. Every router
has a ruleset, an empty one where it translates nothing, so that forwarding always waits for it
(``Sysctl.after_rules``). The gateway guard in OpenFlow table 71 (feature ``switching``) holds whatever happens here.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface

from nebula.compile.features.routing import active, gateway_port
from nebula.compile.render.iptables import Translation, router_rules
from nebula.compile.wiring import Wiring
from nebula.desired.kinds import KernelObject, Ruleset
from nebula.ids import Owner, OwnerKind, router_namespace
from nebula.view.records import RouterView


def objects(node: Wiring) -> Iterator[KernelObject]:
    """The rules of every router that is up."""
    for router in active(node):
        owner = Owner(OwnerKind.ROUTER, router.id)
        rules = router_rules(_translation(node, router), owner)
        yield Ruleset(router_namespace(router.id), rules, owner)


def _translation(node: Wiring, router: RouterView) -> Translation | None:
    port = gateway_port(node, router)
    if router.gateway is None or port is None:
        return None
    sources = [address for address in port.addresses if isinstance(address, IPv4Address)]
    inside = {
        interface.network
        for inner in node.ports_at(router_namespace(router.id))
        for interface in inner.interfaces
        if inner.id != port.id and isinstance(interface, IPv4Interface)
    }
    return Translation(
        device=port.inner_device,
        source=sources[0] if sources else None,
        enable_snat=router.gateway.enable_snat,
        inside=tuple(sorted(inside)),
        floating_ips=tuple(sorted(router.floating_ips)),
        port_forwardings=tuple(sorted(router.port_forwardings)),
    )
