"""``nebulactl project cleanup``: what goes, in which order, and what stays."""

from __future__ import annotations

import io

import pytest
from cli_case_study import (
    FLOATING_ID,
    GROUP_ID,
    INTERFACE_ID,
    NETWORK_ID,
    PUBLIC_ID,
    PUBLIC_SUBNET_ID,
    ROUTER_ID,
    SUBNET_ID,
)
from cli_cloud import Cloud, Nebulactl

SECOND = "22222222222222222222222222222222"
NETWORK = "/network/v2.0"
ROUTER = f"PUT {NETWORK}/routers/{ROUTER_ID}"
CLEANUP = ("project", "cleanup", "--auth-project")


def changed(cloud: Cloud) -> list[str]:
    """Method and path of what was changed."""
    return [f"{method} {path}" for method, path, _ in cloud.requests if method != "GET" and "/auth/tokens" not in path]


def test_all_goes_in_an_order_in_which_nothing_is_in_use(nebulactl: Nebulactl, cloud: Cloud) -> None:
    """Servers first; routes before the interface that they need; groups, but the default one, last."""
    cloud.add("servers", id="i-1", name="vm")
    cloud.add("security_groups", id="d", name="default", project_id=cloud.collections["networks"][0]["project_id"])
    listed = nebulactl(*CLEANUP, "--dry-run", "-f", "value", "-c", "Type").out.split()
    assert (listed, changed(cloud)) == (
        [
            *("Server", "FloatingIP", "Port", "Router", "Subnet", "Subnet", "Network", "Network"),
            "SecurityGroup",
        ],
        [],
    )
    ended = nebulactl(*CLEANUP, "--auto-approve")
    assert (ended.code, ended.err) == (0, "")
    assert changed(cloud) == [
        "DELETE /compute/v2.1/servers/i-1",
        f"DELETE {NETWORK}/floatingips/{FLOATING_ID}",
        f"{ROUTER}/remove_extraroutes",
        f"{ROUTER}/remove_router_interface",
        f"DELETE {NETWORK}/routers/{ROUTER_ID}",
        *(f"DELETE {NETWORK}/subnets/{subnet}" for subnet in (SUBNET_ID, PUBLIC_SUBNET_ID)),
        *(f"DELETE {NETWORK}/networks/{network}" for network in (NETWORK_ID, PUBLIC_ID)),
        f"DELETE {NETWORK}/security-groups/{GROUP_ID}",
    ]
    assert {"port_id": INTERFACE_ID} in [body for _path, body in cloud.sent("PUT")]


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        ("--skip-resource server", ["FloatingIP", "Subnet", "Network", "SecurityGroup"]),
        ("--skip-resource subnet --skip-resource floating_ip", ["Server", "Router", "SecurityGroup"]),
        ("--created-before 2026-11-22T10:51:06", ["Server"]),
        ("--created-before 2026-11-22T10:51:06 --updated-before 2026-01-01T00:00:00", []),
        ("--updated-before 2026-11-22T10:51:18 --skip-resource security_group", ["FloatingIP", "Subnet", "Network"]),
    ],
)
def test_what_stays_keeps_what_it_needs(words: str, kinds: list[str], nebulactl: Nebulactl, cloud: Cloud) -> None:
    """A server's network stays with it, and so does that network's router; age is counted from making or changing."""
    cloud.add("servers", id="i-1", name="vm", created="2026-01-01T00:00:00Z", updated="2026-12-01T00:00:00Z")
    if "subnet" in words:
        cloud.add("routers", id="alone", name="alone", project_id=cloud.collections["networks"][0]["project_id"])
    listed = nebulactl(*CLEANUP, "--dry-run", *words.split(), "-f", "value", "-c", "Type").out.split()
    assert listed == kinds


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_nobody_said_yes(answer: str, nebulactl: Nebulactl, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a yes on the terminal nothing goes."""
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))
    ended = nebulactl(*CLEANUP)
    assert (ended.code, changed(cloud)) == (130, [])
    assert "These resources will be deleted. Are you sure" in ended.err


def test_another_project_is_logged_in_to(nebulactl: Nebulactl, cloud: Cloud) -> None:
    """``--project`` acts with a token of that project, as the client does."""
    assert nebulactl("project", "cleanup", "--project", "second", "--dry-run").code == 0
    scopes = [body["auth"]["scope"] for _, path, body in cloud.requests if "/auth/tokens" in path]
    assert scopes[-1] == {"project": {"id": SECOND}}


@pytest.mark.parametrize("words", ["", "--auth-project --project second", "--auth-project --dry-run --auto-approve"])
def test_called_wrongly(words: str, nebulactl: Nebulactl, cloud: Cloud) -> None:
    """One project, and one way to go about it."""
    assert (nebulactl("project", "cleanup", *words.split()).code, changed(cloud)) == (2, [])
