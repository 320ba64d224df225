"""The extensions of Neutron that bring a single attribute, which says so beside its ``Attribute``. Pure."""

from __future__ import annotations

from nebula.model.attribute import Extension

_OF_ATTRIBUTES = (
    Extension("allowed-address-pairs", "Allowed Address Pairs", "Addresses beyond its own that a port may use."),
    Extension("binding", "Port Binding", "Expose port bindings of a virtual port to external application."),
    Extension("default-subnetpools", "Default Subnetpools", "Subnets from the default pool of their IP version."),
    Extension("dns-integration", "DNS Integration", "Names of ports, networks and floating IPs."),
    Extension(
        "expose-port-forwarding-in-fip", "Expose Port Forwarding in Floating IP", "Floating IPs show their forwardings."
    ),
    Extension("ext-gw-mode", "Neutron L3 Configurable external gateway mode", "SNAT can be switched off per router."),
    Extension("external-net", "Neutron external network", "Adds external network attribute to network resource."),
    Extension("extra_dhcp_opt", "Neutron Extra DHCP options", "DHCP options of a port."),
    Extension("extraroute", "Neutron Extra Route", "Extra routes configuration for L3 router."),
    Extension(
        "fip-port-details", "Floating IP Port Details Extension", "Floating IPs show the port that they lead to."
    ),
    Extension("floating-ip-port-forwarding-port-ranges", "Floating IP Port Forwarding port ranges", "Ranges of ports."),
    Extension("net-mtu", "Network MTU", "Provides MTU attribute for a network resource."),
    Extension("network_availability_zone", "Network Availability Zone", "Availability zone support for network."),
    Extension("port-security", "Port Security", "Ports and networks without anti-spoofing."),
    Extension("project-id", "project_id field enabled", "Extension that indicates that project_id field is enabled."),
    Extension("provider", "Provider Network", "Expose mapping of virtual networks to physical networks."),
    Extension("qos-default", "QoS default policy", "A project's new networks get its default policy."),
    Extension("qos-fip", "Floating IP QoS", "Floating IPs have a policy."),
    Extension(
        "qos-fip-network-policy", "QoS floating IP network policy ID", "Floating IPs show their network's policy."
    ),
    Extension("qos-gateway-ip", "Gateway IP QoS", "Routers' gateways have a policy."),
    Extension("qos-port-network-policy", "QoS port network policy ID", "Ports show their network's policy."),
    Extension("router_availability_zone", "Router Availability Zone", "Availability zone support for router."),
    Extension(
        "security-groups-normalized-cidr", "Normalized CIDR field for security group rules", "The prefix, normalised."
    ),
    Extension(
        "security-groups-remote-address-group", "Remote address group id field", "Rules that name an address group."
    ),
    Extension(
        "security-groups-rules-belongs-to-default-sg",
        "Security group rules belong to default SG",
        "Rules say whether they are of a default group.",
    ),
    Extension("standard-attr-description", "standard-attr-description", "Add descriptions to standard attributes."),
    Extension("standard-attr-revisions", "Resource revision numbers", "Objects carry a revision number."),
    Extension("standard-attr-tag", "Tag support for resources with standard attribute", "Tags on every resource."),
    Extension("standard-attr-timestamp", "Resource timestamps", "Objects carry created_at and updated_at."),
    Extension("stateful-security-group", "Stateful security group", "Groups may be stateless."),
    Extension(
        "subnet-dns-publish-fixed-ip", "Subnet DNS publish fixed IP", "The wish to publish a subnet's addresses."
    ),
    Extension("subnet-service-types", "Subnet service types", "Subnets for the ports of some device owners only."),
)
_BY_ALIAS = {extension.alias: extension for extension in _OF_ATTRIBUTES}


def extension(alias: str) -> Extension:
    """The one of this alias."""
    return _BY_ALIAS[alias]
