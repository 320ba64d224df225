"""Whether a daemon whose files changed may read them again, or must start anew.

Pure. dnsmasq 2.90 keeps its leases over SIGHUP: an address whose line is gone from the host file stays leased to its
old owner, and its new owner gets no answer ("not using configured address ... because it is leased to"). Neutron
sends a DHCPRELEASE in the old owner's name (``dhcp_release``). A dnsmasq without a lease file simply starts with
none, in some 10 ms, and an authoritative server (``--dhcp-authoritative``) lets everybody keep what they have.
"""

from __future__ import annotations


def must_start_anew(loaded: str, wanted: str) -> bool:
    """True where a line of the files as the daemon has read them is not among their lines now.

    A daemon that only learns more reads its files again (SIGHUP), and serves all the while.
    """
    return not set(loaded.splitlines()) <= set(wanted.splitlines())
