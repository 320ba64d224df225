"""The commands that stand in receipts and in ``commands.sh`` do what they say, typed on an empty node.

Everything happens in namespaces of its own (user, network, mount, PID): any user may run it, and nothing is left.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nebula.compile import compile_node
from nebula.compile.pipeline.dump import observed_flows, owners_by_cookie
from nebula.compile.render.iptables import normal_form
from nebula.desired.diff import diff
from nebula.desired.kinds import Address, Bridge, Flow, Namespace, Process, Route, Ruleset, VethPair
from nebula.desired.shell import command
from nebula.desired.state import EMPTY, NodeState, node_state

sys.path.append(str(Path(__file__).parents[1] / "scenarios"))
from golden import HERE, load

_NAMESPACES = ("unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--mount-proc")
SCENARIOS = ["case-study-net1", "case-study-compute1", "two-subnets-on-a-router", "routers-joined-by-transit"]
_PRELUDE = """
set -e
export PATH=/usr/sbin:/sbin:$PATH
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib
mkdir -p /run/openvswitch
cd /run/openvswitch
unset OVS_RUNDIR
ovsdb-tool create conf.db /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server conf.db --remote=punix:db.sock --unixctl=db.ctl --pidfile=db.pid --detach --no-chdir -vconsole:off
ovs-vsctl --no-wait init
ovs-vswitchd unix:db.sock --enable-dummy=override --disable-system --detach --no-chdir --pidfile -vconsole:off
"""


def _can_unshare() -> bool:
    return subprocess.run([*_NAMESPACES, "true"], capture_output=True, check=False, timeout=10).returncode == 0


pytestmark = pytest.mark.skipif(not _can_unshare(), reason="this machine gives ordinary users no namespaces")


def _sections(script: str, wanted: dict[str, str]) -> dict[str, str]:
    """Outputs of the ``wanted`` commands after the script has run on an empty node."""
    lines = [_PRELUDE, script]
    for name, line in wanted.items():
        lines += [f"echo '=== {name}'", line]
    done = subprocess.run(
        [*_NAMESPACES, "bash", "-c", "\n".join(lines)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "LANG": "C"},
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    parts = done.stdout.split("=== ")[1:]
    return {part.partition("\n")[0]: part.partition("\n")[2] for part in parts}


def _script(state: NodeState, *, remove: bool) -> str:
    changes = (*diff(state, EMPTY), *(diff(EMPTY, state) if remove else ()))
    return "\n".join(command(change) for change in changes)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_commands_make_the_state(scenario: str) -> None:
    """Namespaces, addresses, routes, rules, flows and daemons are there as desired after the commands."""
    state = compile_node(*load(HERE / scenario))
    items = list(state.values())
    rulesets = {item.namespace: item.text for item in items if isinstance(item, Ruleset)}
    bridges = [item.name for item in items if isinstance(item, Bridge)]
    wanted = {
        "namespaces": "ip netns list | cut -d' ' -f1 | sort",
        "links": "ip -o link show type veth | cut -d: -f2 | cut -d@ -f1 | sort",
        "addresses": "for n in $(ip netns list | cut -d' ' -f1); do ip -n $n -o -4 address show | grep -v ' lo ' |"
        " awk -v n=$n '{print n, $2, $4}'; done | sort",
        "routes": "for n in $(ip netns list | cut -d' ' -f1); do ip -o -n $n route show proto static |"
        ' awk -v n=$n \'{for (i = 1; i < NF; i++) { if ($i == "via") v = $(i + 1);'
        ' if ($i == "dev") print n, $1, v, $(i + 1) }}\'; done | sort',
        "processes": "ps -ewwo args= | grep -E '^(dnsmasq|udhcpc) ' | sort",
        **{f"rules {name}": f"ip netns exec {name} iptables-save" for name in rulesets},
        **{f"flows {name}": f"ovs-ofctl -O OpenFlow14 --names --no-stats dump-flows {name}" for name in bridges},
    }
    actual = _sections(_script(state, remove=False), wanted)
    flows = [item for item in items if isinstance(item, Flow)]
    observed = [
        flow for name in bridges for flow in observed_flows(name, actual[f"flows {name}"], owners_by_cookie(flows))
    ]
    assert node_state(observed) == node_state(flows)
    assert {name: normal_form(actual[f"rules {name}"]) for name in rulesets} == rulesets
    assert actual["namespaces"].split() == sorted(item.name for item in items if isinstance(item, Namespace))
    assert actual["links"].split() == sorted(item.name for item in items if isinstance(item, VethPair))
    addresses = sorted(f"{item.namespace} {item.device} {item.cidr}" for item in items if isinstance(item, Address))
    assert actual["addresses"].splitlines() == addresses
    routes = sorted(
        f"{item.namespace} {item.destination.replace('0.0.0.0/0', 'default')} {hop.via} {hop.device}"
        for item in items
        if isinstance(item, Route)
        for hop in item.hops
    )
    assert actual["routes"].splitlines() == routes
    processes = sorted(" ".join(item.argv) for item in items if isinstance(item, Process))
    assert actual["processes"].splitlines() == processes


def test_commands_remove_the_state() -> None:
    """After the removals nothing is there: no namespace, link, bridge or daemon."""
    state = compile_node(*load(HERE / "case-study-net1"))
    wanted = {
        "namespaces": "ip netns list",
        "links": "ip -o link show type veth",
        "bridges": "ovs-vsctl list-br",
        "processes": "sleep 0.2; ps -ewwo args= | grep -E '^(dnsmasq|udhcpc) ' || true",
    }
    assert _sections(_script(state, remove=True), wanted) == dict.fromkeys(wanted, "")
