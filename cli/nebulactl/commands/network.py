"""``nebulactl network``: options and attributes of networks. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click

from nebulactl.actions import add_create, add_delete, add_list, add_set, add_show
from nebulactl.commands.agent import agent
from nebulactl.commands.sharing import qos, rbac
from nebulactl.common_settings import DESCRIPTION, ENABLE, NAME, OWNER, SHARE, STATUS, TAG, TAGS
from nebulactl.nouns import NETWORK_LONG, NETWORK_NOUN
from nebulactl.options import Setting

_EXTERNAL = Setting(
    flag="--external/--internal", attribute="router:external", help="Routers may have their gateway here, or not."
)
_MTU = Setting(flag="--mtu", attribute="mtu", type=click.INT, help="Bytes of an IP packet at most.")
_PORT_SECURITY = Setting(
    flag="--enable-port-security/--disable-port-security",
    attribute="port_security_enabled",
    help="Default of the ports made on it.",
)
_DEFAULT = Setting(flag="--default/--no-default", attribute="is_default", help="The default external network.")
_DNS_DOMAIN = Setting(flag="--dns-domain", attribute="dns_domain", help="DNS domain.")
_PROVIDER = (
    Setting(flag="--provider-network-type", attribute="provider:network_type", help="flat or vxlan."),
    Setting(
        flag="--provider-physical-network",
        attribute="provider:physical_network",
        help="Physical network of a flat one, as the nodes' bridge mappings name it.",
    ),
    Setting(
        flag="--provider-segment", attribute="provider:segmentation_id", type=click.INT, help="VNI of a vxlan one."
    ),
)


@click.group()
def network() -> None:
    """Networks: one segment of layer 2 each, wherever its ports are."""


add_create(
    network,
    NETWORK_NOUN,
    SHARE,
    ENABLE,
    OWNER,
    DESCRIPTION,
    _MTU,
    _PORT_SECURITY,
    _EXTERNAL,
    _DEFAULT,
    _DNS_DOMAIN,
    TAG,
    *_PROVIDER,
    example="""
nebulactl network create nebula_net
nebulactl network create public --external --provider-network-type flat --provider-physical-network public
""",
)
add_list(
    network,
    NETWORK_NOUN,
    _EXTERNAL,
    NAME,
    ENABLE,
    OWNER,
    SHARE,
    STATUS,
    TAGS,
    *_PROVIDER,
    long_columns=NETWORK_LONG,
    example="nebulactl network list --long\nnebulactl network list --external -f value -c ID",
)
add_show(network, NETWORK_NOUN)
add_set(
    network,
    NETWORK_NOUN,
    NAME,
    ENABLE,
    SHARE,
    DESCRIPTION,
    _MTU,
    _PORT_SECURITY,
    _EXTERNAL,
    _DEFAULT,
    _DNS_DOMAIN,
    TAG,
    *_PROVIDER,
    example="nebulactl network set nebula_net --name lecture --mtu 1400",
)
add_delete(network, NETWORK_NOUN)
network.add_command(agent)
network.add_command(qos)
network.add_command(rbac)
