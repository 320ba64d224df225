"""What the shell is offered in the middle of a line: names from the cloud, and nothing where it does not answer."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TypeAlias

import pytest
from cli_cloud import Cloud, Nebulactl

Offered: TypeAlias = Callable[[str], list[str]]


@pytest.fixture
def offered(nebulactl: Nebulactl, monkeypatch: pytest.MonkeyPatch) -> Offered:
    """``offered("network show neb")``: what the shell gets for this line up to the cursor."""

    def complete(text: str) -> list[str]:
        line = ["nebulactl", *text.split(" ")]
        monkeypatch.setenv("_NEBULACTL_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(line))
        monkeypatch.setenv("COMP_CWORD", str(len(line) - 1))
        ended = nebulactl()
        assert ended.err == ""
        return [item.removeprefix("plain,") for item in ended.out.split()]

    return complete


CASE_STUDY = [
    ("network show neb", ["nebula_net"]),
    ("trace we", ["web0"]),
    ("trace web neb", ["nebula_router"]),
    ("trace web d", ["dhcp"]),
    ("trace web db ", ["tcp", "udp", "icmp", "arp"]),
    ("trace web db tcp ", []),
    ("trace web dhcp ", []),
    ("capture neb", ["nebula_net", "nebula_router"]),
    ("capture web und", ["underlay"]),
    ("capture network neb", ["nebula_net"]),
    ("capture path we", ["web0"]),
    ("capture path web neb", []),
    ("realised ne", ["network"]),
    ("realised security ", ["group"]),
    ("realised network neb", ["nebula_net"]),
    ("owner qr", ["qrouter-5cf32528-565b-4acc-8f26-af86244c680b"]),
    ("owner tapac", ["tapac62f68e-48"]),
    ("owner fa:16:3e:0a", ["fa:16:3e:0a:0b:0c"]),
]


@pytest.mark.parametrize(("line", "expected"), CASE_STUDY)
def test_what_may_follow(offered: Offered, line: str, expected: list[str]) -> None:
    """Words of the command, and names of what the cloud has of the right kinds."""
    assert offered(line) == expected


def test_silent_where_the_cloud_fails(offered: Offered, cloud: Cloud) -> None:
    """Nothing on the terminal, where a line is being typed."""
    cloud.failure = (503, b"")
    assert offered("trace we") == offered("owner qr") == []


def test_silent_where_nobody_answers(offered: Offered, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who takes the connection and says nothing, for ever, is not waited for; nor does a missing lab say a word."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        monkeypatch.setenv("OS_AUTH_URL", f"http://127.0.0.1:{mute.getsockname()[1]}/identity/v3")
        assert offered("capture neb") == []
    monkeypatch.delenv("OS_AUTH_URL")
    monkeypatch.setenv("NEBULA_LAB", "no-such-lab")
    assert offered("capture neb") == []
