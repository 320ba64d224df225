"""Random security groups and their rules, which name what else there is. Pure but for the randomness that is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network

import msgspec

from nebula.ids import SecurityGroupId
from nebula.model.snapshot import PortRow
from nebula.view.records import AddressSet, SecurityGroupView, SecurityRule
from tests.reachability.draw import Draw

PORTS = (22, 53, 80, 443, 5000, 5999, 8000, 8079)
"""Ports that rules and probes like."""


def empty_group(draw: Draw, project: str, number: int) -> SecurityGroupView:
    """A project's group before it has rules."""
    return SecurityGroupView(SecurityGroupId(draw.id(f"{project}-group{number}")), stateful=not draw.chance(0.25))


class Rules:
    """Rules for all groups of all projects, once it is known who there is to name."""

    def __init__(self, draw: Draw, groups: Mapping[str, Sequence[SecurityGroupView]], ports: Sequence[PortRow]) -> None:
        self._draw = draw
        self._groups = groups
        self._ports = ports
        self._address_groups: list[AddressSet] = []

    def filled(self) -> tuple[tuple[SecurityGroupView, ...], tuple[AddressSet, ...]]:
        """The groups with rules, and the address groups that they name."""
        found: list[SecurityGroupView] = []
        every = [group.id for groups in self._groups.values() for group in groups]
        for project, groups in self._groups.items():
            for index, group in enumerate(groups):
                rules = list(self._default_rules(group)) if self._draw.chance(0.7) else []
                rules += [self._open(f"{project}-{index}-open")] if self._draw.chance(0.4) else []
                count = self._draw.rng.randint(0, 7)
                rules += [self._rule(f"{project}-{index}-{number}", every) for number in range(count)]
                found.append(msgspec.structs.replace(group, rules=tuple(sorted(set(rules)))))
        return tuple(found), tuple(self._address_groups)

    def _default_rules(self, group: SecurityGroupView) -> Iterator[SecurityRule]:
        """As the group ``default`` has them."""
        for version in (4, 6):
            for direction, remote in (("egress", None), ("ingress", group.id)):
                name = self._draw.id(f"{group.id}-{direction}-{version}")
                yield SecurityRule(name, direction, version, remote_group_id=remote)  # type: ignore[arg-type]

    def _open(self, name: str) -> SecurityRule:
        """In from anybody."""
        return SecurityRule(self._draw.id(f"rule-{name}"), "ingress", 4)  # type: ignore[arg-type]

    def _rule(self, name: str, groups: Sequence[SecurityGroupId]) -> SecurityRule:
        version = 4 if self._draw.chance(0.8) else 6
        protocol = self._draw.rng.choice((None, None, 6, 6, 6, 17, 17, 58 if version == 6 else 1, 132, 47, 50))
        low = high = None
        if protocol in (1, 58) and self._draw.chance(0.6):
            low, high = self._draw.rng.choice(((8, None), (8, 0), (13, None), (0, 0))) if version == 4 else (128, None)
        elif protocol in (6, 17, 132) and self._draw.chance(0.75):
            low = self._draw.rng.choice(PORTS)
            high = self._draw.rng.choice([port for port in PORTS if port >= low])
            high = low if self._draw.chance(0.4) else high
            low, high = (low, high) if self._draw.chance(0.9) else (1, 65535)
        return SecurityRule(
            self._draw.id(f"rule-{name}"),  # type: ignore[arg-type]
            "egress" if self._draw.chance(0.45) else "ingress",
            version,
            protocol,
            low,
            high,
            **self._remote(version, groups),  # type: ignore[arg-type]
        )

    def _remote(self, version: int, groups: Sequence[SecurityGroupId]) -> dict[str, object]:
        kind = self._draw.rng.choice(("nobody", "nobody", "prefix", "group", "group", "addresses"))
        if kind == "group":
            return {"remote_group_id": self._draw.rng.choice(groups)}
        if kind == "addresses":
            addresses = tuple(sorted({self._some_prefix(self._draw.rng.choice((4, version))) for _ in range(3)}))
            name = self._draw.id(f"addresses{len(self._address_groups)}")
            self._address_groups.append(AddressSet(name, addresses))
            return {"remote_address_group_id": name}
        return {"remote_ip_prefix": self._some_prefix(version)} if kind == "prefix" else {}

    def _some_prefix(self, version: int) -> str:
        """Around somebody's address, or of nobody."""
        known = [
            ip.ip_address
            for port in self._ports
            for ip in port.fixed_ips
            if ip_address(ip.ip_address).version == version
        ]
        address = self._draw.rng.choice([*known, "203.0.113.200" if version == 4 else "fd00:50::1"])
        length = self._draw.rng.choice((0, 16, 24, 26, 31, 32) if version == 4 else (0, 48, 64, 127, 128))
        return str(ip_network(f"{address}/{length}", strict=False))
