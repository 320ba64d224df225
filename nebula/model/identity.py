"""The objects of identity as its API has them: each declared once, for what is read, filtered, shown and documented.

Pure. Types carry the limits of Keystone's JSON schemas, and requests are checked with them (``accept`` is the way of
the network's API). What is not listed is stored and given back, where the kind is extensible, as in Keystone.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from nebula.model.attribute import Attribute, describe

Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"\S")]
ShortName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"\S")]
Tag = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^,/]*$")]
Tags = Annotated[list[Tag], Meta(max_length=80)]
Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
RegionId = Annotated[str, Meta(max_length=255, pattern=r"^[^/]*$")]
Url = Annotated[str, Meta(min_length=1, max_length=225, pattern=r"^[a-zA-Z0-9+.-]+://|^\$\(")]
Password = Annotated[str, Meta(min_length=1, max_length=4096)]
Blob = Annotated[str, Meta(max_length=1024 * 1024)]
Amount = Annotated[int, Meta(ge=-1, le=2**31 - 1)]
Interface = Literal["public", "internal", "admin"]

ID_LENGTH = 64
"""Characters of an id, but for regions', which people choose."""

Key = Attribute(filtered=False, length=ID_LENGTH)
"""The id, which is made here."""


def given(about: str, *, filtered: bool = False, **more: Any) -> Attribute:
    """What a POST and a PATCH may say. ``more`` are the further words of an ``Attribute``."""
    return Attribute(post=True, put=True, filtered=filtered, about=about, **more)


def fixed(about: str, *, filtered: bool = False, **more: Any) -> Attribute:
    """What a POST alone may say."""
    return Attribute(post=True, filtered=filtered, about=about, **more)


def other(declared: str, about: str, **more: Any) -> Attribute:
    """The id of another object, as ``given``; it cannot go before this one."""
    usual = given(about, filtered=True, length=ID_LENGTH, refers_to=declared, on_delete="NO ACTION")
    return msgspec.structs.replace(usual, **more)


def holder(declared: str, about: str, **more: Any) -> Attribute:
    """The same of what it is for good, and goes with."""
    return other(declared, about, put=False, on_delete="CASCADE", indexed=True, **more)


Named = given("Name.", filtered=True, required=True)
Words = given("Description.", length=0)
KeptWords = given("Description.", length=0, null_is="")
"""Those that are never NULL: none is an empty one."""
Enabled = given("Whether it is in use.", filtered=True, flag="--enable/--disable")
InCatalogue = given("Whether the catalogue has it.", flag="--enable/--disable")
InDomain = other("identity:DOMAIN", "Its domain.", null_is=UNSET, title="Domain ID")
InRegion = other("identity:REGION", "In this region.", length=255, indexed=True, title="Region ID")
OfService = other("identity:SERVICE", "The service.", required=True, indexed=True, title="Service ID")
Options = given("What is special about it; null takes one away.")


class Lock(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``options`` of domains, projects and roles: an immutable one is neither changed nor deleted. None: not set."""

    immutable: bool | UnsetType | None = UNSET


class UserOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``options`` of users: from which password rules somebody is excepted. None: not set."""

    ignore_change_password_upon_first_use: bool | UnsetType | None = UNSET
    ignore_password_expiry: bool | UnsetType | None = UNSET
    ignore_lockout_failure_attempts: bool | UnsetType | None = UNSET
    lock_password: bool | UnsetType | None = UNSET


class Domain(msgspec.Struct, frozen=True, kw_only=True):
    """A wall between sets of projects, users and groups."""

    id: Annotated[str, Key] = ""
    name: Annotated[ShortName, msgspec.structs.replace(Named, unique=True)]
    description: Annotated[str | None, KeptWords] = None
    enabled: Annotated[bool, Enabled] = True
    options: Annotated[Lock, Options] = Lock()


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """Who owns networks. ``parent_id`` may name the domain: then the project is at its top. Both stay as they are."""

    id: Annotated[str, Key] = ""
    domain_id: Annotated[Id | None, InDomain] = None
    parent_id: Annotated[
        Id | None, other("identity:PROJECT", "The project above it.", filtered=False, indexed=True, title="Parent ID")
    ] = None
    name: Annotated[ShortName, Named]
    description: Annotated[str | None, KeptWords] = None
    enabled: Annotated[bool, Enabled] = True
    is_domain: Annotated[bool, given("False: domains are objects of their own.", stored=False)] = False
    tags: Annotated[Tags, given("Tags.", stored=False)] = []
    options: Annotated[Lock, Options] = Lock()


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Who may log in; without a password nobody can."""

    id: Annotated[str, Key] = ""
    domain_id: Annotated[Id | None, msgspec.structs.replace(InDomain, title="Domain")] = None
    name: Annotated[Name, Named]
    description: Annotated[str | None, Words] = None
    enabled: Annotated[bool | None, msgspec.structs.replace(Enabled, null_is=True)] = True
    default_project_id: Annotated[
        str | None, given("The project of a login that names none.", length=ID_LENGTH, title="Project")
    ] = None
    password: Annotated[Password | None, given("Its password, which is never shown.", sent=False, stored=False)] = None
    password_expires_at: Annotated[str | None, Attribute(filtered=False)] = None
    options: Annotated[UserOptions, Options] = UserOptions()


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Users who get roles together."""

    id: Annotated[str, Key] = ""
    domain_id: Annotated[Id | None, InDomain] = None
    name: Annotated[ShortName, Named]
    description: Annotated[str | None, KeptWords] = None


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody may do somewhere. With a domain, the role can only be given in that domain."""

    id: Annotated[str, Key] = ""
    domain_id: Annotated[Id | None, other("identity:DOMAIN", "Its domain; none for a global one.", put=False)] = None
    name: Annotated[Name, Named]
    description: Annotated[str | None, Words] = None
    options: Annotated[Lock, Options] = Lock()


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """Where services are. An id is made where none is given."""

    id: Annotated[RegionId | None, fixed("Its name.", title="Region")] = None
    parent_region_id: Annotated[
        RegionId | None, other("identity:REGION", "The region around it.", length=255, title="Parent Region")
    ] = None
    description: Annotated[str | None, KeptWords] = None


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """What the catalogue offers."""

    id: Annotated[str, Key] = ""
    type: Annotated[Name, given("Type, as network.", filtered=True, required=True)]
    name: Annotated[Name | None, given("Name.", filtered=True)] = None
    description: Annotated[str | None, Words] = None
    enabled: Annotated[bool, InCatalogue] = True


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The URL of a service. ``region`` is the old word for ``region_id``."""

    id: Annotated[str, Key] = ""
    service_id: Annotated[Id, msgspec.structs.replace(OfService, on_delete="CASCADE")]
    region_id: Annotated[RegionId | None, other("identity:REGION", "Its region.", length=255, title="Region")] = None
    interface: Annotated[Interface, given("For whom it is.", filtered=True, required=True, length=8)]
    url: Annotated[Url, given("Its URL.", required=True, length=0)]
    region: Annotated[RegionId | None, given("Its region.", stored=False)] = None
    enabled: Annotated[bool, InCatalogue] = True


class RegisteredLimit(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a service's resource every project may have."""

    id: Annotated[str, Key] = ""
    service_id: Annotated[Id, OfService]
    region_id: Annotated[RegionId | None, InRegion] = None
    resource_name: Annotated[Name, given("The resource.", filtered=True, required=True)]
    default_limit: Annotated[Amount, given("So many; -1: any.", required=True)]
    description: Annotated[str | None, Words] = None


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A project's or domain's own limit, in place of the registered one, which service, region and name tell."""

    id: Annotated[str, Key] = ""
    service_id: Annotated[Id, msgspec.structs.replace(OfService, put=False, filtered=False, stored=False)]
    resource_name: Annotated[Name, fixed("The resource.", required=True, stored=False)]
    region_id: Annotated[
        RegionId | None, msgspec.structs.replace(InRegion, put=False, filtered=False, stored=False)
    ] = None
    project_id: Annotated[Id | None, holder("identity:PROJECT", "Of this project.", title="Project ID")] = None
    domain_id: Annotated[Id | None, holder("identity:DOMAIN", "Of this domain.", title="Domain ID")] = None
    resource_limit: Annotated[Amount, given("So many; -1: any.", required=True)]
    description: Annotated[str | None, Words] = None


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A text that a service keeps here."""

    id: Annotated[str, Key] = ""
    type: Annotated[Name, given("MIME type.", filtered=True, required=True)]
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
    Project, "project", "projects", listed="id name", listed_long="id name domain_id description enabled"
)
USER = describe(
    User,
    "user",
    "users",
    listed="id name",
    listed_long="id name default_project_id domain_id description email enabled",
    shown="default_project_id domain_id email enabled id name description password_expires_at options",
)
GROUP = describe(Group, "group", "groups", listed="id name", listed_long="id name domain_id description")
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
    path="/registered_limits",
    listed="id service_id resource_name default_limit description region_id",
    asked="service_id resource_name region_id",
)
LIMIT = describe(
    Limit,
    "limit",
    "limits",
    listed="id project_id service_id resource_name resource_limit description region_id",
    asked="service_id resource_name region_id project_id",
)
POLICY = describe(Policy, "policy", "policies", listed="id type", listed_long="id type blob")
