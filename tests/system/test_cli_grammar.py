"""nebulactl has the commands and options of the real ``openstack`` client, but for what is not served here.

The client is asked for its parsers, no cloud is. What nebulactl has not is listed below, with the reason: a command or
option that a new client brings, or that is lost here, fails the test.
"""

from __future__ import annotations

import argparse
from importlib.metadata import entry_points
from unittest import mock

import click
from nebulactl.main import cli

_OF_ALL = {
    *("-h", "--help", "-f", "--format", "-c", "--column", "--noindent", "--max-width", "--fit-width", "--print-empty"),
    *("--sort-column", "--sort-ascending", "--sort-descending", "--quote", "--prefix", "--variable"),
}
"""Of cliff: how a command prints. nebulactl's own are tested in ``test_cli_formats``."""

NOT_SERVED = (
    # of the network service: extensions that are not listed
    *(
        "default security group rule",
        "local ip",
        "network auto allocated topology",
        "network flavor",
        "router ndp proxy",
    ),
    *("network l3 conntrack helper", "network meter", "network segment", "network trunk"),
    *("network subport", "network agent router set", "security group default statefulness"),
    *("router add gateway", "router remove gateway"),  # several gateways of one router
    # of identity: federation, OAuth, trusts, access rules, endpoint filters
    *("access rule", "access token", "consumer", "endpoint add", "endpoint remove", "endpoint group", "federation"),
    *("identity provider", "mapping", "request token", "service provider", "trust"),
    # of compute and the client itself
    *("cloud cache", "configuration show", "limits show"),
)
"""Beginnings of commands."""

NOT_HERE = {
    "--pvlan --no-pvlan --pvlan-type --pvlan-community": "private VLANs",
    "--qinq-vlan --no-qinq-vlan --transparent-vlan --no-transparent-vlan": "VLANs of guests",
    "--device-profile --hardware-offload-type --hint --hints --trusted --not-trusted": "hardware of ports",
    "--numa-policy --numa-policy-legacy --numa-policy-preferred --numa-policy-required": "hardware of ports",
    "--numa-policy-socket": "hardware of ports",
    "--data-plane-status --enable-uplink-status-propagation --disable-uplink-status-propagation": "SR-IOV",
    "--advertise-host --auto-evpn-vni --evpn-vni --leak-routes --no-leak-routes --flavor": "BGP and flavors",
    "--enable-default-route-bfd --disable-default-route-bfd": "several gateways of one router",
    "--enable-default-route-ecmp --disable-default-route-ecmp": "several gateways of one router",
    "--enable-ndp-proxy --disable-ndp-proxy --ha-chassis-priority": "NDP proxies, OVN",
    "--network-segment --use-prefix-delegation": "segments, prefix delegation",
    "--access-rules --endpoint": "access rules, endpoint filters",
    "--enable-multi-factor-auth --disable-multi-factor-auth --multi-factor-auth-rule": "several methods in one login",
    "--compute --volume --identity --share --all": "other services than network",
}
"""Options by what is not there."""

ALONE = {
    "endpoint list": "--project --project-domain",
    "port create": "--dns-domain",
    "port set": "--dns-domain",
    "quota set": "--backup-gigabytes --backups --class --cores --default --gigabytes --groups --injected-file-size "
    "--injected-files --injected-path-size --instances --key-pairs --per-volume-gigabytes --properties --ram "
    "--router-routes --server-group-members --server-groups --snapshots --volume-type --volumes",
}
"""Options of single commands: of endpoint filters, of names of single ports' own domains, of other services' quotas."""


def _theirs() -> dict[str, tuple[set[str], int]]:
    """By command: its options, and how many arguments it takes."""
    found = {}
    for group in ("openstack.network.v2", "openstack.identity.v3", "openstack.common"):
        for entry in entry_points(group=group):
            name = entry.name.replace("_", " ")
            command = entry.load()(mock.MagicMock(), None, cmd_name=name)
            command.is_nova_network, command.is_neutron = False, True
            actions = command.get_parser("openstack")._actions
            options = {o for a in actions if a.help != argparse.SUPPRESS for o in a.option_strings}
            found[name] = (options - _OF_ALL, sum(not action.option_strings for action in actions))
    return found


def _ours(command: click.Command, path: str = "") -> dict[str, tuple[set[str], int]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        found: dict[str, tuple[set[str], int]] = {}
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            found |= _ours(inner, f"{path} {name}".strip())
        return found
    options = {o for p in command.params if isinstance(p, click.Option) for o in (*p.opts, *p.secondary_opts)}
    return {path: (options, sum(isinstance(p, click.Argument) for p in command.params))}


def test_commands_and_options_are_the_clients() -> None:
    """Whatever of it is served here can be typed as in the client."""
    ours, theirs = _ours(cli), _theirs()
    lacking = {name for name in theirs if name not in ours and not name.startswith(NOT_SERVED)}
    assert lacking == set()
    for words in NOT_SERVED:
        assert any(name.startswith(words) and name not in ours for name in theirs), f"{words} is served"
    not_here = {option for options in NOT_HERE for option in options.split()}
    differing = {}
    for name in theirs.keys() & ours.keys():
        options = theirs[name][0] - ours[name][0] - not_here
        if options != set(ALONE.get(name, "").split()) - not_here:
            differing[name] = options
        elif theirs[name][1] != ours[name][1]:
            differing[name] = {f"{theirs[name][1]} arguments, not {ours[name][1]}"}
    assert differing == {}
