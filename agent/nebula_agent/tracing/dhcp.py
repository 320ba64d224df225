"""What a dnsmasq would offer: read from the files that it has been given.

Effects: reads its hosts file.
"""

from __future__ import annotations

from pathlib import Path

from nebula.desired.kinds import Process

_HOSTS = "--dhcp-hostsfile="


def offer(server: Process | None, mac_address: str) -> tuple[str, str]:
    """The IPv4 address for the hardware address, or '', and what is known about it, for people."""
    if server is None:
        return "", "what it would offer is not known: it is not Nebula's"
    path = next((word.removeprefix(_HOSTS) for word in server.argv if word.startswith(_HOSTS)), "")
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        return "", f"its hosts file {path} cannot be read: {error.strerror}"
    for line in lines:
        fields = line.split(",")
        if fields[0].lower() == mac_address.lower():
            address = next((field for field in fields[1:] if field.count(".") == 3 and field[:1].isdigit()), "")
            if address:
                return address, f"its hosts file has {address} for {mac_address}"
    return "", f"its hosts file has no address for {mac_address}: it does not answer"
