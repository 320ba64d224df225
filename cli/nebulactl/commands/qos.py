"""``nebulactl network qos policy``; rules are in ``qos_rule``. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click

from nebulactl.commands.qos_rule import rule
from nebulactl.plain_verbs import plain_group
from nebulactl.pool_nouns import QOS_POLICY


@click.group()
def qos() -> None:
    """Quality of service."""


qos.add_command(plain_group("policy", QOS_POLICY))
qos.add_command(rule)
