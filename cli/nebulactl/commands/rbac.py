"""``nebulactl network rbac``. Effects: through the verbs of ``actions``."""

from __future__ import annotations

import click
import msgspec

from nebulactl.actions import add_delete, add_list, add_set, add_show, create
from nebulactl.find import find_id
from nebulactl.invocation import api
from nebulactl.nouns import NETWORK_NOUN, PROJECT
from nebulactl.options import Given, changes, settings, shows
from nebulactl.output import Output
from nebulactl.plain_settings import of_attribute, of_create
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
_ACTION = msgspec.structs.replace(
    of_attribute(RBAC, "action"), type=click.Choice(["access_as_shared", "access_as_external"])
)
_TARGET = msgspec.structs.replace(
    of_attribute(RBAC, "target_tenant"), noun=PROJECT, required=False, help="Project (name or id)."
)
_TYPE = msgspec.structs.replace(
    of_attribute(RBAC, "object_type"), type=click.Choice(sorted(_SHAREABLE)), required=False
)


@click.group()
def rbac() -> None:
    """RBAC policies: what is shared with which project."""


@rbac.command("create")
@click.argument("name", metavar="OBJECT")
@click.option("--type", "kind", type=click.Choice(sorted(_SHAREABLE)), required=True, help="Kind of the object.")
@click.option("--target-all-projects", is_flag=True, help="Share with everybody.")
@settings(*of_create(RBAC, [_ACTION, _TARGET], without="object_type object_id"))
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


add_list(rbac, RBAC, _TYPE, _TARGET)
add_show(rbac, RBAC)
add_set(rbac, RBAC, _TARGET)
add_delete(rbac, RBAC)
