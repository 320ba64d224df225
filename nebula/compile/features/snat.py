"""SNAT: what leaves through a router's gateway bears the gateway's address.

Pure. Every router has a ruleset, an empty one where it translates nothing, so that forwarding always waits for it
(``Sysctl.after_rules``). The gateway guard in OpenFlow table 71 (feature ``switching``) holds whatever happens here.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from nebula.compile.features.routing import active, gateway_port
from nebula.compile.render.iptables import router_rules
from nebula.compile.wiring import Wiring
from nebula.desired.kinds import KernelObject, Ruleset
from nebula.ids import Owner, OwnerKind, router_namespace
from nebula.view.records import RouterView


def objects(node: Wiring) -> Iterator[KernelObject]:
    """The rules of every router that is up."""
    for router in active(node):
        owner = Owner(OwnerKind.ROUTER, router.id)
        device, source = _translation(node, router)
        yield Ruleset(router_namespace(router.id), router_rules(device, source, owner), owner)


def _translation(node: Wiring, router: RouterView) -> tuple[str | None, IPv4Address | None]:
    port = gateway_port(node, router)
    if router.gateway is None or not router.gateway.enable_snat or port is None:
        return None, None
    sources = [address for address in port.addresses if isinstance(address, IPv4Address)]
    return port.inner_device, sources[0] if sources else None
