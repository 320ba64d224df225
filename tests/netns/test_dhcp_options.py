"""What the DHCP server tells: options of subnet and port, names of ports; nothing to strangers, nothing outside."""

from __future__ import annotations

import subprocess
import sys

import dhcp_views as views
import pytest
from agent_node import AgentNode, eventually, two_nodes
from transit_views import identity, instance

from nebula.model import dhcp_option
from nebula.model.dhcp_option import Form

pytestmark = pytest.mark.sandbox

_VALUES = {
    Form.ADDRESSES: ("10.0.0.8,10.0.0.9",),
    Form.ADDRESS: ("10.0.0.8",),
    Form.BYTE: ("0", "255"),
    Form.SHORT: ("0", "65535"),
    Form.LONG: ("0", "4294967295"),
    Form.TEXT: ("a,b;c#d e", "-", "1.2.3.4"),
    Form.NAMES: ("a.example,b_c.example",),
    Form.ROUTES: ("10.0.0.0/8,10.0.0.1,0.0.0.0/0,10.0.0.2",),
    Form.BYTES: ("01:02", "01:02:ff"),
    Form.RAW: ("01:02:ff", "10.0.0.8", "7", "tftp://a/b", "-", ":", "a/b,.", "1.2.3.4/99"),
}

_ASK = """
import socket, struct, sys
name, server = sys.argv[1:3]
labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asking.settimeout(3)
asking.sendto(struct.pack("!6H", 7, 256, 1, 0, 0, 0) + labels + b"\\0" + struct.pack("!2H", 1, 1), (server, 53))
answer = asking.recv(4096)
print(answer[3] & 15, socket.inet_ntoa(answer[-4:]) if struct.unpack("!H", answer[6:8])[0] else "-")
"""
"""Prints the response code (RFC 1035: 0 no error, 3 no such name, 5 refused) and the answer's address."""


def _resolve(node: AgentNode, device: str, name: str) -> str:
    return node.run(sys.executable, "-c", _ASK, name, views.SERVER, namespace=instance(device)).strip()


def _lease(node: AgentNode, device: str) -> dict[str, str]:
    """What another DHCP client in the instance is told; empty where nobody answers."""
    node.run("sh", "-c", "printf '#!/bin/sh\\n[ $1 = bound ] && env > /run/lease; true\\n' > /run/show")
    node.run("sh", "-c", "chmod +x /run/show; : > /run/lease")
    wanted = [word for name in ("mtu", "staticroutes", "tftp", "bootfile", "150", "ntpsrv") for word in ("-O", name)]
    argv = ("udhcpc", "-n", "-q", "-f", "-t", "3", "-T", "1", "-i", "eth0", "-s", "/run/show", *wanted)
    node.status(*argv, namespace=instance(device))
    return dict(line.split("=", 1) for line in node.run("cat", "/run/lease").splitlines() if "=" in line)


def test_options_and_names() -> None:
    """A port's own options take the place of the subnet's; each of two overlapping networks has its own names.

    Strangers get no lease. Nothing of it listens on the node. Names and leases outlive both the agent, whose restart
    writes nothing, and the server, which comes back.
    """
    with two_nodes() as (node, _):
        node.show(views.view())
        node.start_agent()
        node.wait_sync(1)
        for device, address in {"web": "10.0.0.10", "client": "10.0.0.11", "other": "10.0.0.20"}.items():
            here = instance(device)
            eventually(
                lambda a=address, n=here: a in node.run("ip", "-4", "address", namespace=n), f"lease of {device}"
            )

        told = _lease(node, "client")
        assert {
            name: told.get(name) for name in ("mtu", "tftp", "bootfile", "opt150", "ntpsrv", "dns", "domain", "router")
        } == {
            "mtu": "1400",
            "tftp": "boot.example",
            "bootfile": "http://boot/a,b;c#d e",
            "opt150": "0a090909",
            "ntpsrv": "10.0.0.8 10.0.0.9",
            "dns": views.SERVER,
            "domain": "openstacklocal",
            "router": "10.0.0.77",
        }
        assert told["staticroutes"] == "10.77.0.0/16 10.0.0.77 0.0.0.0/0 10.0.0.1"
        assert {name: _lease(node, "web").get(name) for name in ("mtu", "tftp", "router")} == {
            "mtu": "1450",
            "tftp": None,
            "router": "10.0.0.1",
        }
        assert _lease(node, "stranger") == {}

        assert _resolve(node, "client", "web.openstacklocal") == "0 10.0.0.10"
        assert _resolve(node, "client", "web") == "0 10.0.0.10"
        assert _resolve(node, "other", "web.openstacklocal") == "0 10.0.0.20"
        assert _resolve(node, "other", "client.openstacklocal") == "3 -"
        assert _resolve(node, "client", "example.org") == "5 -"
        assert ":53 " not in node.run("ss", "-lnut")
        listening = node.run("ss", "-lnut", namespace=f"qdhcp-{identity('red')}")
        assert f"{views.SERVER}:53 " in listening
        assert "127.0.0.1:53 " not in listening

        node.stop_agent()
        since = len(node.passes())
        node.run("sh", "-c", "kill -9 $(cat /run/nebula-state/dhcp/*/pid)")
        node.start_agent()
        node.wait_sync(1, since)
        eventually(lambda: _lease(node, "client").get("ip") == "10.0.0.11", "the same lease of the server's successor")
        node.stop_agent()
        since = len(node.passes())
        node.start_agent()
        node.wait_sync(1, since)
        assert node.changes(since) == 0
        assert _resolve(node, "client", "web") == "0 10.0.0.10"

        since = len(node.passes())
        node.show(views.view(2, web="www", stranger=True))
        node.wait_sync(2, since)
        eventually(lambda: _resolve(node, "client", "www") == "0 10.0.0.10", "the new name")
        assert _resolve(node, "client", "web.openstacklocal") == "3 -"
        assert _resolve(node, "other", "web.openstacklocal") == "0 10.0.0.20"
        assert _lease(node, "stranger").get("ip") == "10.0.0.12"


def test_dnsmasq_takes_every_option_that_the_api_takes() -> None:
    """Each name and number, with values at the edge of its form: dnsmasq's own parser finds no fault."""
    names = [*dhcp_option.FORMS, *(str(number) for number in range(1, 255))]
    lines: list[str] = []
    for name in names:
        try:
            form = dhcp_option.form(name)
        except ValueError:
            continue
        lines += [dhcp_option.line(name, value) for value in _VALUES[form]]
    lines += [dhcp_option.line(name, "") for name in dhcp_option.MAY_BE_EMPTY]
    text = "".join(f"dhcp-option=tag:x,{line}\n" for line in lines)
    argv = ("dnsmasq", "--test", "--conf-file=-")
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stderr) == (0, "dnsmasq: syntax check OK.\n")
