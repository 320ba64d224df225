"""``nebulactl network``: networks. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click

from nebulactl.actions import add_create, add_delete, add_list, add_set, add_show, add_unset
from nebulactl.common_settings import EXTRA_OUT, STATUS, TAG_OUT
from nebulactl.deferred import Deferred
from nebulactl.nouns import NETWORK_NOUN
from nebulactl.plain_settings import of_attribute
from nebulactl.pool_nouns import SERVICE_PROVIDER

_OTHERS = {
    "agent": "Agents: what runs on the nodes, and whether it is alive.",
    "onboard": "The older words of 'subnet pool add network'.",
    "qos": "Quality of service.",
    "rbac": "RBAC policies: what is shared with which project.",
}


@click.group(cls=Deferred, deferred=_OTHERS)
def network() -> None:
    """Networks: one segment of layer 2 each, wherever its ports are."""


add_create(
    network,
    NETWORK_NOUN,
    example="""
nebulactl network create nebula_net
nebulactl network create public --external --provider-network-type flat --provider-physical-network public
""",
)
add_list(
    network,
    NETWORK_NOUN,
    STATUS,
    on_agent="dhcp-networks",
    example="nebulactl network list --long\nnebulactl network list --external -f value -c ID",
)
add_show(network, NETWORK_NOUN)
add_set(
    network,
    NETWORK_NOUN,
    *(
        of_attribute(NETWORK_NOUN, f"provider:{name}")
        for name in ("network_type", "physical_network", "segmentation_id")
    ),
    example="nebulactl network set nebula_net --name lecture --mtu 1400",
)
add_unset(network, NETWORK_NOUN, TAG_OUT, EXTRA_OUT, blank={})
add_delete(network, NETWORK_NOUN)


@network.group("service")
def service() -> None:
    """Who realises which service of the network."""


@service.group("provider")
def provider() -> None:
    """Providers of services, as Neutron names them."""


add_list(provider, SERVICE_PROVIDER)
