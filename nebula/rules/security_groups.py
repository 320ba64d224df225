"""What must hold for rules of security groups and for a port's protection. Pure; the words are Neutron's."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

import msgspec

from nebula.errors import BadRequest, Conflict, NebulaError
from nebula.model.port import Port
from nebula.model.security_group import DEFAULT_NAME, PROTOCOLS, SecurityGroup, SecurityGroupRule

TRUSTED_PREFIX = "network:"
"""Ports of these device owners are the services' own: no anti-spoofing, no groups (Neutron's ``is_port_trusted``)."""

MAX_ADDRESS_PAIRS = 10
"""Neutron's ``max_allowed_address_pair``."""

_ICMP, _ICMPV6 = 1, 58
_WITH_PORTS = {name: PROTOCOLS[name] for name in ("sctp", "tcp", "udp")}
_UNMATCHED = {name: PROTOCOLS[name] for name in ("dccp", "udplite")}
"""Protocols whose ports Neutron takes, and Open vSwitch cannot match (ovs-fields(7)): the rule would let nothing in."""
_IPV6_ONLY = frozenset(PROTOCOLS[name] for name in PROTOCOLS if name.startswith("ipv6-"))


def complete(rule: SecurityGroupRule) -> SecurityGroupRule:
    """The rule with what follows from it: the protocol's number and the prefix without host bits.

    ICMP in a rule for IPv6 means ICMPv6 and is written so, as in Neutron.
    """
    protocol = rule.protocol
    number = None if protocol is None else PROTOCOLS.get(protocol)
    if protocol is not None and number is None:
        number = int(protocol)
    if rule.ethertype == "IPv6" and protocol is not None and number in (_ICMP, _ICMPV6):
        protocol, number = (str(_ICMPV6) if protocol.isdigit() else "ipv6-icmp"), _ICMPV6
    prefix = rule.remote_ip_prefix
    normalized = None if prefix is None else str(ipaddress.ip_interface(prefix).network)
    return msgspec.structs.replace(rule, protocol=protocol, protocol_number=number, normalized_cidr=normalized)


def check(rule: SecurityGroupRule) -> list[NebulaError]:
    """Ports or ICMP types fit the protocol; protocol and prefix fit the family; one remote side at most."""
    problems = [*_check_ports(rule)]
    if rule.ethertype == "IPv4" and rule.protocol_number in _IPV6_ONLY:
        problems.append(
            BadRequest(
                f"Invalid ethertype {rule.ethertype} for protocol {rule.protocol}.",
                type_name="SecurityGroupEthertypeConflictWithProtocol",
            )
        )
    if rule.remote_ip_prefix is not None:
        version = ipaddress.ip_interface(rule.remote_ip_prefix).version
        if rule.ethertype != f"IPv{version}":
            problems.append(
                BadRequest(
                    f"Conflicting value ethertype {rule.ethertype} for CIDR {rule.remote_ip_prefix}",
                    type_name="SecurityGroupRuleParameterConflict",
                )
            )
    remotes = (rule.remote_ip_prefix, rule.remote_group_id, rule.remote_address_group_id)
    if sum(remote is not None for remote in remotes) > 1:
        problems.append(
            BadRequest(
                "Only one of remote_ip_prefix, remote_group_id or remote_address_group_id may be provided.",
                type_name="SecurityGroupRemoteGroupAndRemoteIpPrefix",
            )
        )
    return problems


def check_duplicate(rule: SecurityGroupRule, present: Sequence[SecurityGroupRule]) -> list[NebulaError]:
    """A group has no two rules that allow the same, whatever names they use for it."""
    return [
        Conflict(f"Security group rule already exists. Rule id is {other.id}.", type_name="SecurityGroupRuleExists")
        for other in present
        if _meaning(other) == _meaning(rule)
    ]


def check_bulk(new: Sequence[SecurityGroupRule]) -> list[NebulaError]:
    """The rules of one request."""
    if len({rule.security_group_id for rule in new}) > 1:
        return [
            BadRequest(
                "Only allowed to update rules for one security profile at a time",
                type_name="SecurityGroupNotSingleGroupRules",
            )
        ]
    if len({_meaning(rule) for rule in new}) < len(new):
        return [Conflict("Duplicate Security Group Rule in POST.", type_name="DuplicateSecurityGroupRuleInPost")]
    return []


def check_name(name: str, old: SecurityGroup | None = None) -> list[NebulaError]:
    """The name ``default`` is the default group's alone, for ever."""
    if old is not None and old.name == name:
        return []
    if old is not None and old.is_default:
        return [Conflict("Updating default security group not allowed.", type_name="SecurityGroupCannotUpdateDefault")]
    if name.lower() == DEFAULT_NAME:
        return [Conflict("Default security group already exists.", type_name="SecurityGroupDefaultAlreadyExists")]
    return []


def in_use(group_id: str) -> Conflict:
    """Ports have the group."""
    return Conflict(f"Security Group {group_id} in use.", type_name="SecurityGroupInUse")


def protected(port: Port) -> Port:
    """The port with what follows from its owner and address: trusted owners go free, pairs get the port's MAC."""
    if port.device_owner.startswith(TRUSTED_PREFIX):
        return msgspec.structs.replace(port, port_security_enabled=False, security_groups=(), allowed_address_pairs=())
    pairs = tuple({"mac_address": port.mac_address, **pair} for pair in port.allowed_address_pairs)
    return msgspec.structs.replace(port, allowed_address_pairs=pairs)


def check_protection(port: Port, *, groups_given: bool) -> list[NebulaError]:
    """Without port security a port has neither groups nor pairs. ``groups_given``: the request named the groups."""
    problems: list[NebulaError] = []
    pairs = port.allowed_address_pairs
    if len(pairs) > MAX_ADDRESS_PAIRS:
        problems.append(
            BadRequest(
                f"The number of allowed address pair exceeds the maximum {MAX_ADDRESS_PAIRS}.",
                type_name="AllowedAddressPairExhausted",
            )
        )
    seen = set()
    for pair in pairs:
        key = (pair["mac_address"], pair["ip_address"].removesuffix("/32").removesuffix("/128"))
        if key in seen:
            problems.append(
                BadRequest(
                    f"Request contains duplicate address pair: mac_address {key[0]} ip_address {pair['ip_address']}.",
                    type_name="DuplicateAddressPairInRequest",
                )
            )
        seen.add(key)
    if port.port_security_enabled:
        return problems
    if pairs:
        problems.append(
            Conflict(
                "Port Security must be enabled in order to have allowed address pairs on a port.",
                type_name="AddressPairAndPortSecurityRequired",
            )
        )
    if port.security_groups and groups_given:
        problems.append(
            BadRequest(
                "Port security must be enabled and port must have an IP address in order to use security groups.",
                type_name="PortSecurityAndIPRequiredForSecurityGroups",
            )
        )
    elif port.security_groups:
        problems.append(
            Conflict(
                "Port has security group associated. Cannot disable port security or ip address until security group "
                "is removed",
                type_name="PortSecurityPortHasSecurityGroup",
            )
        )
    return problems


def warnings(pairs: Sequence[Mapping[str, str]]) -> list[str]:
    """What a port's address pairs allow that its owner may not have meant, a line each."""
    return [
        f"allowed address pair {pair['ip_address']}: from {pair['mac_address']} the port may send as any "
        f"{'IPv6' if ':' in pair['ip_address'] else 'IPv4'} address, and a rule whose remote side is a group of the "
        "port's lets in everybody"
        for pair in pairs
        if ipaddress.ip_interface(pair["ip_address"]).network.prefixlen == 0
    ]


def _check_ports(rule: SecurityGroupRule) -> list[NebulaError]:
    first, last = rule.port_range_min, rule.port_range_max
    if first is None and last is None:
        return []
    if rule.protocol is None:
        return [
            BadRequest(
                "Must also specify protocol if port range is given.",
                type_name="SecurityGroupProtocolRequiredWithPorts",
            )
        ]
    if rule.protocol_number in _UNMATCHED.values():
        return [
            BadRequest(
                f"Invalid protocol {rule.protocol} for port range: Open vSwitch does not see the ports of "
                f"{' and '.join(name.upper() for name in _UNMATCHED)}. Without them the rule allows the protocol.",
                type_name="SecurityGroupInvalidProtocolForPort",
            )
        ]
    if rule.protocol_number in _WITH_PORTS.values():
        return _check_range(first, last)
    if rule.protocol_number in (_ICMP, _ICMPV6):
        return _check_icmp(first, last)
    return [
        BadRequest(
            f"Invalid protocol {rule.protocol} for port range, only supported for "
            f"{', '.join(name.upper() for name in _WITH_PORTS)}.",
            type_name="SecurityGroupInvalidProtocolForPort",
        )
    ]


def _check_range(first: int | None, last: int | None) -> list[NebulaError]:
    if first == 0 or last == 0:
        return [BadRequest("Invalid value for port 0.", type_name="SecurityGroupInvalidPortValue")]
    if first is None or last is None or first > last:
        return [
            BadRequest(
                "For TCP/UDP protocols, port_range_min must be <= port_range_max.",
                type_name="SecurityGroupInvalidPortRange",
            )
        ]
    return []


def _check_icmp(icmp_type: int | None, code: int | None) -> list[NebulaError]:
    problems: list[NebulaError] = [
        BadRequest(
            f"Invalid value for ICMP {field} ({attribute}) {value}. It must be 0 to 255.",
            type_name="SecurityGroupInvalidIcmpValue",
        )
        for field, attribute, value in (("type", "port_range_min", icmp_type), ("code", "port_range_max", code))
        if value is not None and value > 255
    ]
    if icmp_type is None:
        problems.append(
            BadRequest(
                f"ICMP code (port-range-max) {code} is provided but ICMP type (port-range-min) is missing.",
                type_name="SecurityGroupMissingIcmpType",
            )
        )
    return problems


def _meaning(rule: SecurityGroupRule) -> tuple[object, ...]:
    anywhere = rule.normalized_cidr in ("0.0.0.0/0", "::/0")
    return (
        rule.direction,
        rule.ethertype,
        rule.protocol_number,
        rule.port_range_min,
        rule.port_range_max,
        None if anywhere else rule.normalized_cidr,
        rule.remote_group_id,
        rule.remote_address_group_id,
    )
