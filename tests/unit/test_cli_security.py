"""nebulactl's commands for groups, floating IPs and forwardings: what they send, and what they refuse themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_case_study import FLOATING_ID, FORWARDING_ID, GROUP_ID, PORT_ID, PUBLIC_ID, fill
from cli_cloud import Cloud, running_cloud
from nebulactl.main import run

_RULE = {"security_group_id": GROUP_ID, "direction": "ingress", "ethertype": "IPv4"}
_FORWARDINGS = f"/network/v2.0/floatingips/{FLOATING_ID}/port_forwardings"

SENT: list[tuple[str, str, str, Any]] = [
    (
        "security group create db --description x --stateless",
        "POST",
        "/network/v2.0/security-groups",
        {"security_group": {"name": "db", "description": "x", "stateful": False}},
    ),
    (
        "security group set web --name www",
        "PUT",
        f"/network/v2.0/security-groups/{GROUP_ID}",
        {"security_group": {"name": "www"}},
    ),
    ("security group delete web", "DELETE", f"/network/v2.0/security-groups/{GROUP_ID}", None),
    (
        "security group rule create web --protocol TCP --dst-port 137:139",
        "POST",
        "/network/v2.0/security-group-rules",
        {
            "security_group_rule": {
                **_RULE,
                "protocol": "tcp",
                "port_range_min": 137,
                "port_range_max": 139,
                "remote_ip_prefix": "0.0.0.0/0",
            }
        },
    ),
    (
        "security group rule create web --protocol ipv6-icmp --icmp-type 128 --icmp-code 0 --egress",
        "POST",
        "/network/v2.0/security-group-rules",
        {
            "security_group_rule": {
                "security_group_id": GROUP_ID,
                "direction": "egress",
                "ethertype": "IPv6",
                "protocol": "ipv6-icmp",
                "port_range_min": 128,
                "port_range_max": 0,
                "remote_ip_prefix": "::/0",
            }
        },
    ),
    (
        "security group rule create web --remote-group web --protocol any",
        "POST",
        "/network/v2.0/security-group-rules",
        {"security_group_rule": {**_RULE, "protocol": None, "remote_group_id": GROUP_ID}},
    ),
    (
        "port set web0 --security-group web --allowed-address ip-address=10.0.0.0/8",
        "PUT",
        f"/network/v2.0/ports/{PORT_ID}",
        {"port": {"security_groups": [GROUP_ID], "allowed_address_pairs": [{"ip_address": "10.0.0.0/8"}]}},
    ),
    (
        "floating ip create public --port web0 --fixed-ip-address 192.168.50.10",
        "POST",
        "/network/v2.0/floatingips",
        {"floatingip": {"floating_network_id": PUBLIC_ID, "port_id": PORT_ID, "fixed_ip_address": "192.168.50.10"}},
    ),
    (
        "floating ip set 203.0.113.5 --port web0",
        "PUT",
        f"/network/v2.0/floatingips/{FLOATING_ID}",
        {"floatingip": {"port_id": PORT_ID}},
    ),
    (
        "floating ip unset 203.0.113.5 --port",
        "PUT",
        f"/network/v2.0/floatingips/{FLOATING_ID}",
        {"floatingip": {"port_id": None}},
    ),
    ("floating ip delete 203.0.113.5", "DELETE", f"/network/v2.0/floatingips/{FLOATING_ID}", None),
    (
        "floating ip port forwarding create 203.0.113.5 --port web0 --protocol tcp "
        "--internal-protocol-port 80 --external-protocol-port 8000:8009",
        "POST",
        _FORWARDINGS,
        {
            "port_forwarding": {
                "internal_port_id": PORT_ID,
                "protocol": "tcp",
                "internal_port": "80",
                "external_port_range": "8000:8009",
            }
        },
    ),
    (
        f"floating ip port forwarding set 203.0.113.5 {FORWARDING_ID} --internal-protocol-port 81",
        "PUT",
        f"{_FORWARDINGS}/{FORWARDING_ID}",
        {"port_forwarding": {"internal_port": "81"}},
    ),
    (
        f"floating ip port forwarding delete 203.0.113.5 {FORWARDING_ID}",
        "DELETE",
        f"{_FORWARDINGS}/{FORWARDING_ID}",
        None,
    ),
]

REFUSED = [
    "security group rule create web --remote-ip 10.0.0.0/8 --remote-group web",
    "security group rule create web --protocol tcp --icmp-type 8",
    "security group rule create web --protocol icmp --icmp-code 0",
    "security group rule create web --protocol tcp --dst-port ssh",
    "floating ip port forwarding create 203.0.113.5 --port web0 --protocol tcp --internal-protocol-port 80",
    f"floating ip port forwarding set 203.0.113.5 {FORWARDING_ID}",
]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cloud]:
    with running_cloud() as running:
        fill(running)
        for name, value in {**running.environment, "XDG_CACHE_HOME": str(tmp_path)}.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.mark.parametrize(("line", "method", "path", "body"), SENT, ids=[row[0][:50] for row in SENT])
def test_what_is_sent(cloud: Cloud, line: str, method: str, path: str, body: object) -> None:
    """Names become ids; options become the API's attributes, and nothing else is sent."""
    assert run(line.split()) == 0
    assert cloud.sent(method) == [(path, body)]


@pytest.mark.parametrize("line", REFUSED)
def test_what_is_refused_here(cloud: Cloud, line: str) -> None:
    """What contradicts itself is told at once, and nothing is sent."""
    assert run(line.split()) == 2
    assert [cloud.sent(method) for method in ("POST", "PUT", "DELETE")] == [[], [], []]
