"""Security groups compiled: what a random view would find only now and then."""

from __future__ import annotations

from nebula.compile import compile_node
from nebula.compile.facts import Facts
from nebula.desired.kinds import Flow
from nebula.ids import Host, InstanceId, NetworkId, PortId, SubnetId
from nebula.view.records import (
    AddressSet,
    FixedIp,
    InstanceView,
    NetworkView,
    NodeView,
    PortView,
    SecurityGroupView,
    SecurityRule,
    SubnetView,
)

GROUP = "4be5f3c8-50f1-4b9e-9d3a-2f6a7c8b9d10"
NET, SUBNET = NetworkId("b69b8128-c03e-49a3-b100-6f862ae50fb8"), SubnetId("3eb31d05-a8a9-450f-83c5-8bf94d064f98")
PORT, VM = PortId("5759c106-0c7e-4d19-a5b3-8f6e1d2c4b70"), InstanceId("11d3a0c2-9e4b-4f57-8a61-c2b7d9e03f41")
FACTS = Facts(Host("node1"), "netdev", "10.0.0.1", "/var/lib/nebula", "/usr/lib/nebula/udhcpc.script")


def _rule(number: int, direction: str) -> SecurityRule:
    return SecurityRule(
        id=f"0b00000{number}-0000-4000-8000-000b0000000{number}",
        direction=direction,
        ip_version=4,
        protocol=None,
        port_min=None,
        port_max=None,
        remote_ip_prefix=None,
        remote_group_id=GROUP,
        remote_address_group_id=None,
    )


def test_one_group_may_be_the_remote_of_both_directions() -> None:
    """Ingress from and egress to the same group are two conjunctions, one in each direction's table."""
    subnet = SubnetView(SUBNET, "s", "10.1.0.0/24", 4, None, False)
    view = NodeView(
        epoch="e",
        revision=1,
        host=Host("node1"),
        networks=(NetworkView(NET, "n", "p", "vxlan", 7, None, 1450, False, (subnet,)),),
        ports=(
            PortView(
                PORT,
                NET,
                "fa:16:3e:00:00:01",
                (FixedIp(SUBNET, "10.1.0.5"),),
                "compute:nova",
                VM,
                secured=True,
                security_groups=(GROUP,),
            ),
        ),
        instances=(InstanceView(VM, "vm", "p", (PORT,)),),
        security_groups=(SecurityGroupView(GROUP, True, (_rule(1, "ingress"), _rule(2, "egress"))),),
        address_sets=(AddressSet(GROUP, ("10.1.0.5/32",)),),
    )
    flows = [item for item in compile_node(view, FACTS).values() if isinstance(item, Flow)]
    assert sorted({flow.table for flow in flows if "conjunction(" in flow.actions}) == [72, 82]
