"""How long a node takes from ``nebula-agent join`` to its first packet. Needs root.

The node has been cleaned, its instance still belongs to it: join, start of the agent, view, all of the node's objects,
DHCP, and a ping through the tunnel that is answered.
"""

from __future__ import annotations

import time

from tests.bench.figures import Figure
from tests.netns.lab_machine import Machine
from tests.system.joined_site import AGENT, URL, Site, python

RUNS = 3


def figures() -> list[Figure]:
    """The whole, and the command ``join`` alone."""
    machine = Machine()
    try:
        site = Site(machine, lifetime_s=3600)
        site.join("net1", site.first_token(), "network")
        site.join("compute1", site.first_token(), "compute")
        site.until(lambda: site.alive("net1") == site.alive("compute1") == {"True"})
        site.ctl("network", "create", "n")
        site.ctl("subnet", "create", "s", "--network", "n", "--subnet-range", "192.168.50.0/24")
        site.ctl("instance", "create", "i", "--network", "n", "--node", "compute1", "--wait")
        instance = site.ctl("instance", "show", "i", "-f", "value", "-c", "id")
        runs = [_again(site, instance) for _ in range(RUNS)]
    finally:
        machine.close()
    return [
        Figure("join to first packet", "s", tuple(whole for whole, _join in runs), "3"),
        Figure("of that: nebula-agent join", "s", tuple(join for _whole, join in runs)),
    ]


def _again(site: Site, instance: str) -> tuple[float, float]:
    token = site.ctl("node", "token", "create", "--host", "compute1", "-f", "value", "-c", "token")
    site.stop("compute1", "/run/joined.toml")
    script = (
        'began=$(date +%s%N); "$@" join "$url" "$token" --config=/run/joined.toml > /dev/null; joined=$(date +%s%N); '
        'setsid --fork "$@" --config=/run/joined.toml > /var/log/agent.log 2>&1; n=instance-$instance; '
        "until ip netns exec $n ping -n -q -c 1 -W 0.1 192.168.50.2 > /dev/null 2>&1; do "
        "sleep 0.01; ip -n $n neigh flush all 2> /dev/null; done; echo $(($(date +%s%N) - began)) $((joined - began))"
    )
    variables = [f"url={URL}", f"token={token}", f"instance={instance}"]
    said = site.on("compute1", "env", *variables, "sh", "-c", script, "sh", *python(AGENT))
    time.sleep(1)
    whole, join = (int(text) / 1e9 for text in said.split())
    return whole, join
