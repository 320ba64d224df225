"""NodeView and facts to NodeState: all that shall exist on the node.

Pure: no I/O, no clock, no randomness; equal input, in whatever order, gives equal output.
"""

from __future__ import annotations

from nebula.compile.facts import Facts
from nebula.compile.features import dhcp, instances, overlay, provider, routing, security, snat, switching
from nebula.compile.wiring import Unwired, Wiring
from nebula.desired.state import NodeState, node_state
from nebula.view.records import NodeView

FEATURES = (switching, security, overlay, provider, dhcp, routing, snat, instances)


def compile_node(view: NodeView, facts: Facts) -> NodeState:
    """The desired state of the node.

    Raises ``ValueError`` where an address, MAC or CIDR of the view does not parse: such a view is not to be used.
    """
    node = Wiring(view, facts)
    return node_state(item for feature in FEATURES for item in feature.objects(node))


def unwired_ports(view: NodeView, facts: Facts) -> tuple[Unwired, ...]:
    """Ports that the view puts here and that cannot be wired, each with the reason; sorted by id."""
    return Wiring(view, facts).unwired
