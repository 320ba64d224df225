"""Of the model of the network API: which addresses a port may have, and has by itself. Pure."""

from __future__ import annotations

import ipaddress

from api_records import DHCP, INTERFACE, Block, Ip, Refusals, Subnet
from api_world_sharing import Sharing


class Addresses(Sharing):
    """Of subnets' pools, and those that hosts make of their MAC address (SLAAC)."""

    def subnets_of(self, network: str) -> dict[str, Subnet]:
        return {key: subnet for key, subnet in self.subnets.items() if subnet.network == network}

    def taken(self, subnet: str) -> set[str]:
        return {address for port in self.ports.values() for where, address in port.fixed if where == subnet}

    def has_room(self, subnet: str, without: str | None = None) -> bool:
        """An address of its pool is free; ``without``: this port's count as free."""
        if self.subnets[subnet].auto:
            return True
        first, last = (int(ipaddress.ip_address(end)) for end in self.subnets[subnet].pool)
        own = {a for where, a in self.ports[without].fixed if where == subnet} if without else set()
        inside = [a for a in self.taken(subnet) - own if first <= int(ipaddress.ip_address(a)) <= last]
        return len(inside) < last - first + 1

    def in_pool(self, subnet: str, address: str) -> bool:
        first, last = (int(ipaddress.ip_address(end)) for end in self.subnets[subnet].pool)
        return first <= int(ipaddress.ip_address(address)) <= last

    def no_room(self, network: str, without: str | None = None) -> Refusals:
        """A port that names no address gets one of each version, beside those that it makes itself."""
        found = {key: subnet for key, subnet in self.subnets_of(network).items() if not subnet.auto}
        for version in {subnet.version for subnet in found.values()}:
            if not any(self.has_room(key, without) for key, subnet in found.items() if subnet.version == version):
                return {(409, "IpAddressGenerationFailure")}
        return set()

    def wrong_address(self, network: str, subnet: str | None, address: str, without: str | None = None) -> Refusals:
        """What is wrong with an address that a port is to have."""
        ip, found = ipaddress.ip_address(address), self.subnets_of(network)
        fitting = [key for key, each in found.items() if _is_host(ip, each.block)]
        if subnet is None:
            if not fitting:
                return {(400, "InvalidIpForNetwork")}
            subnet = fitting[0]
        elif subnet not in found:
            return {(400, "InvalidInput")}
        elif subnet not in fitting:
            return {(400, "InvalidIpForSubnet")}
        own = self.ports[without].fixed if without else set()
        if (subnet, address) in own:
            return set()
        if found[subnet].auto:
            return {(400, "AllocationOnAutoAddressSubnet")}
        return {(409, "IpAddressAlreadyAllocated")} if address in self.taken(subnet) else set()

    def self_made(self, network: str, mac: str) -> set[tuple[str, str]]:
        """What a port with this MAC address has, whatever is asked for."""
        return {(key, eui64(each.block, mac)) for key, each in self.subnets_of(network).items() if each.auto}

    def join_subnet(self, subnet: str) -> None:
        """The ports that are there have an address of a new subnet whose hosts make their own."""
        each = self.subnets[subnet]
        for port in self.ports.values():
            if each.auto and port.network == each.network and port.owner != INTERFACE:
                port.fixed.add((subnet, eui64(each.block, port.mac)))

    def holds_subnet(self, subnet: str) -> bool:
        """A port that does not go with the subnet: of those that make their addresses, only routers' interfaces."""
        on = [port for port in self.ports.values() if any(where == subnet for where, _ in port.fixed)]
        if self.subnets[subnet].auto:
            return any(port.owner == INTERFACE for port in on)
        return any(port.owner != DHCP for port in on)

    def drop_subnet(self, subnet: str) -> None:
        for port in self.ports.values():
            port.fixed = {fixed for fixed in port.fixed if fixed[0] != subnet}
        del self.subnets[subnet]


def eui64(block: Block, mac: str) -> str:
    """RFC 4291, appendix A: the MAC address with ff:fe in its middle and its universal bit turned."""
    octets = bytearray.fromhex(mac.replace(":", ""))
    octets[0] ^= 2
    return str(block.network_address + int.from_bytes(octets[:3] + b"\xff\xfe" + octets[3:]))


def _is_host(ip: Ip, block: Block) -> bool:
    """Neither the block's own address nor (IPv4) its broadcast."""
    edges = {block.network_address, block.broadcast_address} if block.version == 4 else {block.network_address}
    return ip in block and ip not in edges
