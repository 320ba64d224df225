"""``nebulactl network qos policy``; rules are in ``qos_rule``. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click

from nebulactl.actions import add_create, add_delete, add_list, add_set, add_show
from nebulactl.commands.qos_rule import rule
from nebulactl.pool_nouns import QOS_POLICY


@click.group()
def qos() -> None:
    """Quality of service."""


@qos.group("policy")
def policy() -> None:
    """QoS policies: sets of rules for networks, ports and floating IPs."""


add_create(policy, QOS_POLICY, example="nebulactl network qos policy create gold")
add_list(policy, QOS_POLICY, names="project_id shared")
add_show(policy, QOS_POLICY)
add_set(policy, QOS_POLICY)
add_delete(policy, QOS_POLICY)
qos.add_command(rule)
