"""What programs and clients of other APIs log in with, and secrets that identity keeps for others. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta

from nebula.model.attribute import Attribute
from nebula.model.identity_standard import Id, Kept, Name, Named, Words, describe, fixed, given, holder, kept

Data = Annotated[str, Meta(max_length=65_536)]

Sealed = Attribute(filtered=False, stored=False)
Tenant = fixed("For this project.", required=True, stored=False, refers_to="identity:PROJECT", title="Project ID")


class RoleName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A role by id or by name. Answers have all three."""

    id: str | None = None
    name: str | None = None
    domain_id: str | None = None


class ApplicationCredential(Kept, frozen=True, kw_only=True):
    """A program's own secret: its user's rights on one project, or some of them. It is not changed but made anew."""

    user_id: Annotated[Id, holder("identity:USER", "Its user.", post=False, indexed=False, filtered=False)]
    project_id: Annotated[
        str | None, holder("identity:PROJECT", "That of the token.", filtered=False, null_is=UNSET, title="Project ID")
    ] = None
    name: Annotated[Name, msgspec.structs.replace(Named, put=False)]
    description: Annotated[str | None, msgspec.structs.replace(Words, put=False)] = None
    secret: Annotated[str | None, fixed("Its secret; else a random one is made.", sent=False, stored=False)] = None
    secret_hash: Annotated[str, kept(length=128)]
    roles: Annotated[list[RoleName] | None, fixed("With these roles; else with all of the token.", stored=False)] = None
    access_rules: Annotated[list[object] | None, fixed("None: calls are not ruled.", sent=False, stored=False)] = None
    unrestricted: Annotated[
        bool | None,
        fixed(
            "Whether it may make further ones, and trusts; by default it may not.",
            null_is=False,
            flag="--unrestricted/--restricted",
        ),
    ] = None
    expires_at: Annotated[
        str | None, fixed("Until then (UTC), as 2030-01-31T12:00:00.", in_seconds=True, flag="--expiration")
    ] = None
    created_at: Annotated[float, kept()]


class Credential(Kept, frozen=True, kw_only=True):
    """A secret that has to be read back, as the key of one-time passwords. That of EC2 is JSON."""

    user_id: Annotated[
        Id | None,
        holder("identity:USER", "Of this user.", put=True, null_is=UNSET, title="User ID"),
    ] = None
    project_id: Annotated[
        Id | None, holder("identity:PROJECT", "For this project.", put=True, filtered=False, title="Project ID")
    ] = None
    type: Annotated[Name, given("cert, ec2, totp...", filtered=True, required=True, usual="cert")]
    blob: Annotated[Data, given("What is kept.", required=True, stored=False, title="Data", flag="--data")]
    sealed_blob: Annotated[bytes, kept()]


class KeyPair(msgspec.Struct, frozen=True, kw_only=True):
    """A credential as clients of EC2's API have it, for one project (which is still a tenant here)."""

    access: Annotated[str, Sealed]
    secret: Annotated[str, Sealed]
    trust_id: Annotated[str | None, Sealed] = None
    tenant_id: Annotated[Id, Tenant]
    user_id: Annotated[Id, msgspec.structs.replace(Sealed, refers_to="identity:USER", title="User ID")]


APPLICATION_CREDENTIAL = describe(
    ApplicationCredential,
    "application_credential",
    "application_credentials",
    path="/users/{user_id}/application_credentials",
    unique="user_id name",
    extensible=False,
    listed="id name description project_id roles unrestricted access_rules expires_at",
)
CREDENTIAL = describe(
    Credential,
    "credential",
    "credentials",
    listed="id type user_id blob project_id",
    shown="blob id project_id type user_id",
    asked="user_id type",
)
EC2_CREDENTIAL = describe(
    KeyPair,
    "credential",
    "credentials",
    words="EC2 credential",
    path="/users/{user_id}/credentials/OS-EC2",
    extensible=False,
    listed="access secret tenant_id user_id",
    shown="access links tenant_id secret trust_id user_id",
)
