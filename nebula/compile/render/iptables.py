"""The iptables rules of a router, in the form in which ``iptables-save`` 1.8.9 (nf_tables) prints them.

Pure. Tables in iptables-save's order: filter is committed before nat, which is also the safe order, for all that
filter does is to drop.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address

from nebula.ids import Owner

_COUNTERS = re.compile(r" \[\d+:\d+\]$")


def router_rules(gateway_device: str | None, source: IPv4Address | None, owner: Owner) -> str:
    """Rules of a router's namespace; without a device and an address for SNAT all chains are empty.

    With SNAT nothing leaves through ``gateway_device`` (a name of ours) that conntrack calls INVALID, since such
    packets are not translated; nothing new comes in, for its answers could not leave untranslated; and all else that
    leaves gets ``source``. ``--random-fully`` as in Neutron: no two hosts guess each other's ports.
    """
    filter_rules: list[str] = []
    nat_rules: list[str] = []
    if gateway_device is not None and source is not None:
        comment = f'-m comment --comment "{owner.mark}"'
        filter_rules = [
            f"-A FORWARD -o {gateway_device} -m conntrack --ctstate INVALID {comment} -j DROP",
            f"-A FORWARD -i {gateway_device} -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT {comment} -j DROP",
        ]
        nat_rules = [f"-A POSTROUTING -o {gateway_device} {comment} -j SNAT --to-source {source} --random-fully"]
    lines = (
        "*filter",
        ":INPUT ACCEPT",
        ":FORWARD ACCEPT",
        ":OUTPUT ACCEPT",
        *filter_rules,
        "COMMIT",
        "*nat",
        ":PREROUTING ACCEPT",
        ":INPUT ACCEPT",
        ":OUTPUT ACCEPT",
        ":POSTROUTING ACCEPT",
        *nat_rules,
        "COMMIT",
    )
    return "".join(f"{line}\n" for line in lines)


def normal_form(saved: str) -> str:
    """``iptables-save`` output without comment lines and counters: what a Ruleset's text is compared with."""
    lines = (line for line in saved.splitlines() if line and not line.startswith("#"))
    return "".join(f"{_COUNTERS.sub('', line) if line.startswith(':') else line}\n" for line in lines)
