"""The objects of identity as its API has them: each is declared once, and the rest follows. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from nebula.model.attribute import Attribute
from nebula.model.identity_standard import (
    ID_LENGTH,
    Enabled,
    Id,
    InDomain,
    Kept,
    KeptWords,
    Lock,
    Name,
    Named,
    Options,
    ShortName,
    Tags,
    TokensValidAfter,
    Words,
    describe,
    fixed,
    given,
    holder,
    kept,
    other,
)

RegionId = Annotated[str, Meta(max_length=255, pattern=r"^[^/]*$")]
Url = Annotated[str, Meta(min_length=1, max_length=225, pattern=r"^[a-zA-Z0-9+.-]+://|^\$\(")]
Password = Annotated[str, Meta(min_length=1, max_length=4096)]
Blob = Annotated[str, Meta(max_length=1024 * 1024)]
Amount = Annotated[int, Meta(ge=-1, le=2**31 - 1)]
Interface = Literal["public", "internal", "admin"]

InCatalogue = given("Whether the catalogue has it.", flag="--enable/--disable")
InRegion = other("identity:REGION", "In this region.", length=255, indexed=True, title="Region ID")
OfService = other("identity:SERVICE", "The service.", required=True, indexed=True, title="Service ID")


class UserOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``options`` of users: from which password rules somebody is excepted. None: not set."""

    ignore_change_password_upon_first_use: bool | UnsetType | None = UNSET
    ignore_password_expiry: bool | UnsetType | None = UNSET
    ignore_lockout_failure_attempts: bool | UnsetType | None = UNSET
    lock_password: bool | UnsetType | None = UNSET


class Domain(Kept, frozen=True, kw_only=True):
    """A wall between sets of projects, users and groups."""

    name: Annotated[ShortName, msgspec.structs.replace(Named, unique=True)]
    description: Annotated[str | None, KeptWords] = None
    enabled: Annotated[bool, Enabled] = True
    tokens_valid_after: Annotated[float, TokensValidAfter] = 0
    options: Annotated[Lock, Options] = Lock()


class Project(Kept, frozen=True, kw_only=True):
    """Who owns networks. ``parent_id`` may name the domain: then the project is at its top. Both stay as they are."""

    domain_id: Annotated[Id | None, InDomain] = None
    parent_id: Annotated[
        Id | None, other("identity:PROJECT", "The project above it.", filtered=False, indexed=True, title="Parent ID")
    ] = None
    name: Annotated[ShortName, Named]
    description: Annotated[str | None, KeptWords] = None
    enabled: Annotated[bool, Enabled] = True
    is_domain: Annotated[bool, given("False: domains are objects of their own.", stored=False)] = False
    tags: Annotated[Tags, given("Tags.", stored=False)] = []
    tokens_valid_after: Annotated[float, TokensValidAfter] = 0
    options: Annotated[Lock, Options] = Lock()


class User(Kept, frozen=True, kw_only=True):
    """Who may log in; without a password nobody can."""

    domain_id: Annotated[Id | None, msgspec.structs.replace(InDomain, title="Domain")] = None
    name: Annotated[Name, Named]
    description: Annotated[str | None, Words] = None
    enabled: Annotated[bool | None, msgspec.structs.replace(Enabled, null_is=True)] = True
    default_project_id: Annotated[
        str | None, given("The project of a login that names none.", length=ID_LENGTH, title="Project")
    ] = None
    password: Annotated[Password | None, given("Its password, which is never shown.", sent=False, stored=False)] = None
    password_hash: Annotated[str | None, kept(length=128)] = None
    password_changed_at: Annotated[float | None, kept()] = None
    password_expires_at: Annotated[str | None, Attribute(filtered=False, in_seconds=True)] = None
    failed_logins: Annotated[int, kept(server_default=True)] = 0
    failed_at: Annotated[float | None, kept()] = None
    tokens_valid_after: Annotated[float, TokensValidAfter] = 0
    options: Annotated[UserOptions, Options] = UserOptions()


class Group(Kept, frozen=True, kw_only=True):
    """Users who get roles together."""

    domain_id: Annotated[Id | None, InDomain] = None
    name: Annotated[ShortName, Named]
    description: Annotated[str | None, KeptWords] = None


class Role(Kept, frozen=True, kw_only=True):
    """What somebody may do somewhere. With a domain, the role can only be given in that domain."""

    domain_id: Annotated[Id | None, other("identity:DOMAIN", "Its domain; none for a global one.", put=False)] = None
    name: Annotated[Name, Named]
    description: Annotated[str | None, Words] = None
    options: Annotated[Lock, Options] = Lock()


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """Where services are. An id is made where none is given."""

    id: Annotated[RegionId | None, fixed("Its name.", title="Region", flag="--region")] = None
    parent_region_id: Annotated[
        RegionId | None, other("identity:REGION", "The region around it.", length=255, title="Parent Region")
    ] = None
    description: Annotated[str | None, KeptWords] = None


class Service(Kept, frozen=True, kw_only=True):
    """What the catalogue offers."""

    type: Annotated[Name, given("Type, as network.", filtered=True, required=True)]
    name: Annotated[Name | None, given("Name.", filtered=True)] = None
    description: Annotated[str | None, Words] = None
    enabled: Annotated[bool, InCatalogue] = True


class Endpoint(Kept, frozen=True, kw_only=True):
    """The URL of a service. ``region`` is the old word for ``region_id``."""

    service_id: Annotated[Id, msgspec.structs.replace(OfService, on_delete="CASCADE")]
    region_id: Annotated[RegionId | None, other("identity:REGION", "Its region.", length=255, title="Region")] = None
    interface: Annotated[Interface, given("For whom it is.", filtered=True, required=True, length=8)]
    url: Annotated[Url, given("Its URL.", required=True, length=0)]
    region: Annotated[RegionId | None, given("Its region.", stored=False)] = None
    enabled: Annotated[bool, InCatalogue] = True


class RegisteredLimit(Kept, frozen=True, kw_only=True):
    """How much of a service's resource every project may have."""

    service_id: Annotated[Id, OfService]
    region_id: Annotated[RegionId | None, InRegion] = None
    resource_name: Annotated[Name, given("The resource.", filtered=True, required=True)]
    default_limit: Annotated[Amount, given("So many; -1: any.", required=True)]
    description: Annotated[str | None, Words] = None


class Limit(Kept, frozen=True, kw_only=True):
    """A project's or domain's own limit, in place of the registered one, which service, region and name tell."""

    registered_limit_id: Annotated[
        str, kept(refers_to="identity:REGISTERED_LIMIT", on_delete="NO ACTION", length=ID_LENGTH, indexed=True)
    ]
    service_id: Annotated[Id, msgspec.structs.replace(OfService, put=False, filtered=False, stored=False)]
    resource_name: Annotated[Name, fixed("The resource.", required=True, stored=False)]
    region_id: Annotated[
        RegionId | None, msgspec.structs.replace(InRegion, put=False, filtered=False, stored=False)
    ] = None
    project_id: Annotated[Id | None, holder("identity:PROJECT", "Of this project.", title="Project ID")] = None
    domain_id: Annotated[Id | None, holder("identity:DOMAIN", "Of this domain.", title="Domain ID")] = None
    resource_limit: Annotated[Amount, given("So many; -1: any.", required=True)]
    description: Annotated[str | None, Words] = None


class Policy(Kept, frozen=True, kw_only=True):
    """A text that a service keeps here."""

    type: Annotated[Name, given("MIME type.", filtered=True, required=True, usual="application/json")]
    blob: Annotated[Blob, given("The text.", required=True, length=0, title="Rules")]


DOMAIN = describe(
    Domain,
    "domain",
    "domains",
    listed="id name enabled description",
    shown="id name enabled description options",
    asked="name",
)
PROJECT = describe(
    Project,
    "project",
    "projects",
    unique="domain_id name",
    listed="id name",
    listed_long="id name domain_id description enabled",
)
USER = describe(
    User,
    "user",
    "users",
    unique="domain_id name",
    listed="id name",
    listed_long="id name default_project_id domain_id description email enabled",
    shown="default_project_id domain_id email enabled id name description password_expires_at options",
)
GROUP = describe(
    Group,
    "group",
    "groups",
    unique="domain_id name",
    listed="id name",
    listed_long="id name domain_id description",
)
ROLE = describe(Role, "role", "roles", listed="id name", shown="id name domain_id description", asked="domain_id")
REGION = describe(
    Region,
    "region",
    "regions",
    listed="id parent_region_id description",
    shown="id description parent_region_id",
    asked="parent_region_id",
)
SERVICE = describe(
    Service,
    "service",
    "services",
    listed="id name type",
    listed_long="id name type description enabled",
    shown="id name type enabled description",
)
ENDPOINT = describe(
    Endpoint,
    "endpoint",
    "endpoints",
    listed="id region_id service_name service_type enabled interface url",
    shown="enabled id interface region region_id service_id url service_name service_type",
    asked="service_id interface region_id",
)
REGISTERED_LIMIT = describe(
    RegisteredLimit,
    "registered_limit",
    "registered_limits",
    extensible=False,
    by_list=True,
    listed="id service_id resource_name default_limit description region_id",
    asked="service_id resource_name region_id",
)
LIMIT = describe(
    Limit,
    "limit",
    "limits",
    extensible=False,
    by_list=True,
    listed="id project_id service_id resource_name resource_limit description region_id",
    asked="service_id resource_name region_id project_id",
)
POLICY = describe(Policy, "policy", "policies", listed="id type", listed_long="id type blob")
