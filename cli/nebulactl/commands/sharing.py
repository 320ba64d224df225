"""``nebulactl network rbac`` and ``network qos policy``. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click

from nebulactl.actions import add_create, add_delete, add_list, add_set, add_show, create
from nebulactl.commands.qos_rule import rule
from nebulactl.common_settings import DESCRIPTION, NAME, OWNER, SHARE
from nebulactl.find import find_id
from nebulactl.invocation import api
from nebulactl.nouns import NETWORK_NOUN, PROJECT
from nebulactl.options import Given, Setting, changes, settings, shows
from nebulactl.output import Output
from nebulactl.pool_nouns import ADDRESS_SCOPE, QOS_POLICY, RBAC, SUBNET_POOL
from nebulactl.security_nouns import ADDRESS_GROUP, SECURITY_GROUP

_SHAREABLE = {
    "address_group": ADDRESS_GROUP,
    "address_scope": ADDRESS_SCOPE,
    "network": NETWORK_NOUN,
    "qos_policy": QOS_POLICY,
    "security_group": SECURITY_GROUP,
    "subnetpool": SUBNET_POOL,
}
_ACTION = Setting(
    flag="--action",
    attribute="action",
    type=click.Choice(["access_as_shared", "access_as_external"]),
    required=True,
    help="What the target may do.",
)
_TARGET = Setting(flag="--target-project", attribute="target_tenant", noun=PROJECT, help="Project (name or id).")
_TYPE = Setting(flag="--type", attribute="object_type", type=click.Choice(sorted(_SHAREABLE)), help="Kind of object.")
_DEFAULT = Setting(flag="--default/--no-default", attribute="is_default", help="The project's default policy.")


@click.group()
def rbac() -> None:
    """RBAC policies: what is shared with which project."""


@rbac.command("create")
@click.argument("name", metavar="OBJECT")
@click.option("--type", "kind", type=click.Choice(sorted(_SHAREABLE)), required=True, help="Kind of the object.")
@click.option("--target-all-projects", is_flag=True, help="Share with everybody.")
@settings(_ACTION, _TARGET, OWNER)
@changes
@shows
def create_rbac(output: Output, given: Given, name: str, kind: str, target_all_projects: bool) -> None:
    """Share an object with a project, or with all.

    \b
    Examples:
      nebulactl network rbac create --type network --action access_as_shared --target-project second nebula_net
    """
    if target_all_projects == ("target_tenant" in given.attributes):
        raise click.UsageError("Give one of --target-project and --target-all-projects.")
    everybody = {"target_tenant": "*"} if target_all_projects else {}
    object_id = find_id(api(), _SHAREABLE[kind], name)
    made = create(api(), RBAC, {"object_type": kind, "object_id": object_id, **everybody, **given.attributes})
    output.resource(RBAC, made)


add_list(rbac, RBAC, _TYPE, Setting(flag="--action", attribute="action", help="With this action."), _TARGET)
add_show(rbac, RBAC)
add_set(rbac, RBAC, _TARGET)
add_delete(rbac, RBAC)


@click.group()
def qos() -> None:
    """Quality of service."""


@qos.group("policy")
def policy() -> None:
    """QoS policies: sets of rules for networks, ports and floating IPs."""


add_create(policy, QOS_POLICY, DESCRIPTION, SHARE, OWNER, _DEFAULT, example="nebulactl network qos policy create gold")
add_list(policy, QOS_POLICY, OWNER, SHARE)
add_show(policy, QOS_POLICY)
add_set(policy, QOS_POLICY, NAME, DESCRIPTION, SHARE, _DEFAULT)
add_delete(policy, QOS_POLICY)
qos.add_command(rule)
