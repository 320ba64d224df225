"""What a random topology is drawn with: every id, MAC and address once. Pure but for the randomness that is given."""

from __future__ import annotations

import random
from ipaddress import ip_network

from nebula.view.records import SubnetView
from tests.reachability.topology import identity


class Draw:
    """``names`` are those of all ids so far, for people; ``taken`` what a network or subnet has given out."""

    def __init__(self, rng: random.Random, prefix: str) -> None:
        self.rng = rng
        self.names: dict[str, str] = {}
        self.taken: dict[str, set[str]] = {}
        self._prefix = prefix
        self._macs: list[str] = []

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def id(self, name: str) -> str:
        found = identity(f"{self._prefix}-{name}")
        self.names[found] = name
        return found

    def mac(self, network: str) -> str:
        """A new one, or now and then one that another network has too."""
        known = [mac for mac in self._macs if mac not in self.taken.get(network, set())]
        if known and self.chance(0.1):
            mac = self.rng.choice(known)
        else:
            mac = f"fa:16:3e:{self.rng.randrange(1 << 24):06x}"
            mac = mac[:9] + ":".join(mac[9:][index : index + 2] for index in (0, 2, 4))
        self._macs.append(mac)
        self.taken.setdefault(network, set()).add(mac)
        return mac

    def vni(self) -> int:
        """A new one."""
        taken = self.taken.setdefault("vni", set())
        while True:
            number = self.rng.randint(1, (1 << 24) - 1)
            if str(number) not in taken:
                taken.add(str(number))
                return number

    def address(self, subnet: SubnetView, wanted: str | None = None) -> str:
        """A free address of a subnet; ``wanted`` where that is free."""
        taken = self.taken.setdefault(subnet.id, {subnet.gateway_ip or ""})
        if wanted is not None and f"used {wanted}" not in taken:
            taken.add(f"used {wanted}")
            return wanted
        network = ip_network(subnet.cidr)
        while True:
            address = str(network[self.rng.randint(4, min(network.num_addresses - 2, 250))])
            if address not in taken:
                taken.add(address)
                return address
