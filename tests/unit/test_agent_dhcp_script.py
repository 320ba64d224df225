"""What the DHCP client's script does with a lease, with ``ip`` replaced by a list of its calls."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nebula_agent
import pytest

_SCRIPT = Path(nebula_agent.__file__).with_name("udhcpc.script")
_LEASE = {"ip": "10.0.0.5", "mask": "24", "broadcast": "10.0.0.255", "router": "10.0.0.1 10.0.0.2"}


def _calls(folder: Path, event: str, **values: str) -> list[str]:
    fake = folder / "ip"
    fake.write_text(f'#!/bin/sh\necho "$@" >> {folder}/calls\n')
    fake.chmod(0o755)
    environment = {"PATH": f"{folder}:/usr/bin:/bin", **values}
    subprocess.run(["/bin/sh", str(_SCRIPT), event], env=environment, check=True, timeout=10)
    return (folder / "calls").read_text().splitlines()


@pytest.mark.parametrize(("interface", "metric"), [("eth0", "0"), ("eth1", "1"), ("eth12", "12")])
def test_default_route_of_the_first_interface_is_preferred(tmp_path: Path, interface: str, metric: str) -> None:
    """An instance on two networks leaves by eth0, whichever lease came last."""
    assert _calls(tmp_path, "bound", interface=interface, **_LEASE) == [
        f"-4 address replace 10.0.0.5/24 broadcast 10.0.0.255 dev {interface}",
        f"-4 route replace default via 10.0.0.1 dev {interface} proto dhcp metric {metric}",
    ]


def test_classless_routes_replace_the_router_option(tmp_path: Path) -> None:
    """RFC 3442; and the MTU comes first."""
    routes = "10.9.0.0/16 10.0.0.9 10.8.0.0/16 0.0.0.0"
    assert _calls(tmp_path, "renew", interface="eth0", mtu="1450", staticroutes=routes, **_LEASE) == [
        "link set dev eth0 mtu 1450",
        "-4 address replace 10.0.0.5/24 broadcast 10.0.0.255 dev eth0",
        "-4 route replace 10.9.0.0/16 via 10.0.0.9 dev eth0 onlink proto dhcp metric 0",
        "-4 route replace 10.8.0.0/16 dev eth0 scope link proto dhcp metric 0",
    ]
