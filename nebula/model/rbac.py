"""A policy that shares one object with one project, or with all, as the API has it. Pure."""

from __future__ import annotations

from typing import Annotated

from nebula.model import accept
from nebula.model.attribute import Extension, describe
from nebula.model.standard import Terse, fixed, settable

SHARED, EXTERNAL = "access_as_shared", "access_as_external"
"""The actions: seen and used like an own object; of a network, as where routers' gateways and floating IPs are."""

EVERYBODY = "*"
"""The target that stands for all projects."""


def _object_type(value: object) -> object:
    return str(accept.string()(value)).strip().lower()


def _target(value: object) -> object:
    if accept.string()(value) == "":
        raise ValueError("'' is not a valid project")
    return value


class RbacPolicy(Terse, frozen=True, kw_only=True):
    """``target_tenant``: the project's id or ``*``."""

    object_type: Annotated[str, fixed(_object_type, "Kind of object.", required=True, length=32, flag="--type")]
    object_id: Annotated[str, fixed(accept.identifier, required=True, length=36)]
    action: Annotated[str, fixed(accept.string(), "What the target may do.", required=True, length=32)]
    target_tenant: Annotated[
        str,
        settable(_target, "Project, or * for all.", required=True, flag="--target-project"),
    ]


RBAC_POLICY = describe(
    RbacPolicy,
    "rbac_policy",
    "rbac_policies",
    words="RBAC policy",
    unique="object_id action target_tenant",
    limited=True,
    extension=Extension("rbac-policies", "RBAC Policies", "Objects can be shared with projects, or with all."),
    listed="id object_type object_id",
    listed_long="id object_type object_id action",
    asked="action",
)
