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

Key = Attribute(filtered=False)
"""The id, which is made here."""


def given(about: str, *, filtered: bool = False, **more: Any) -> Attribute:
    """What a POST and a PATCH may say. ``more`` are the further words of an ``Attribute``."""
    return Attribute(post=True, put=True, filtered=filtered, about=about, **more)


def fixed(about: str, *, filtered: bool = False, **more: Any) -> Attribute:
    """What a POST alone may say."""
    return Attribute(post=True, filtered=filtered, about=about, **more)


Named = given("Name.", filtered=True, required=True)
Words = given("Description.")
Enabled = given("Whether it is in use.", filtered=True)
OfService = given("The service.", filtered=True, required=True)
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
    name: Annotated[ShortName, Named]
    description: Annotated[str | None, Words] = None
    enabled: Annotated[bool, Enabled] = True
    options: Annotated[Lock, Options] = Lock()


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """Who owns networks. ``parent_id`` may name the domain: then the project is at its top. Both stay as they are."""

    id: Annotated[str, Key] = ""
    name: Annotated[ShortName, Named]
    domain_id: Annotated[Id | None, given("Its domain.", filtered=True)] = None
    parent_id: Annotated[Id | None, given("The project above it.")] = None
    description: Annotated[str | None, Words] = None
    enabled: Annotated[bool, Enabled] = True
    is_domain: Annotated[bool, given("False: domains are objects of their own.")] = False
    tags: Annotated[Tags, given("Tags.")] = []
    options: Annotated[Lock, Options] = Lock()


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Who may log in; without a password nobody can."""

    id: Annotated[str, Key] = ""
    name: Annotated[Name, Named]
    domain_id: Annotated[Id | None, given("Its domain.", filtered=True, title="Domain")] = None
    default_project_id: Annotated[str | None, given("The project of a login that names none.", title="Project")] = None
    description: Annotated[str | None, Words] = None
    enabled: Annotated[bool | None, Enabled] = True
    password: Annotated[Password | None, given("Its password, which is never shown.", sent=False)] = None
    password_expires_at: Annotated[str | None, Attribute(filtered=False)] = None
    options: Annotated[UserOptions, Options] = UserOptions()


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Users who get roles together."""

    id: Annotated[str, Key] = ""
    name: Annotated[ShortName, Named]
    domain_id: Annotated[Id | None, given("Its domain.", filtered=True)] = None
    description: Annotated[str | None, Words] = None


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody may do somewhere. With a domain, the role can only be given in that domain."""

    id: Annotated[str, Key] = ""
    name: Annotated[Name, Named]
    domain_id: Annotated[Id | None, fixed("Its domain; none for a global one.", filtered=True)] = None
    description: Annotated[str | None, Words] = None
    options: Annotated[Lock, Options] = Lock()


class Region(msgspec.Struct, frozen=True, kw_only=True):
    """Where services are. An id is made where none is given."""

    id: Annotated[RegionId | None, fixed("Its name.", title="Region")] = None
    parent_region_id: Annotated[
        RegionId | None, given("The region around it.", filtered=True, title="Parent Region")
    ] = None
    description: Annotated[str | None, Words] = None


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """What the catalogue offers."""

    id: Annotated[str, Key] = ""
    type: Annotated[Name, given("Type, as network.", filtered=True, required=True)]
    name: Annotated[Name | None, given("Name.", filtered=True)] = None
    description: Annotated[str | None, Words] = None
    enabled: Annotated[bool, given("Whether the catalogue has it.")] = True


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The URL of a service. ``region`` is the old word for ``region_id``."""

    id: Annotated[str, Key] = ""
    service_id: Annotated[Id, OfService]
    interface: Annotated[Interface, given("For whom it is.", filtered=True, required=True)]
    url: Annotated[Url, given("Its URL.", required=True)]
    region_id: Annotated[RegionId | None, given("Its region.", filtered=True, title="Region")] = None
    region: Annotated[RegionId | None, given("Its region.")] = None
    enabled: Annotated[bool, given("Whether the catalogue has it.")] = True


class RegisteredLimit(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a service's resource every project may have."""

    id: Annotated[str, Key] = ""
    service_id: Annotated[Id, OfService]
    resource_name: Annotated[Name, given("The resource.", filtered=True, required=True)]
    default_limit: Annotated[Amount, given("So many; -1: any.", required=True)]
    region_id: Annotated[RegionId | None, given("In this region.", filtered=True)] = None
    description: Annotated[str | None, Words] = None


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A project's or domain's own limit, in place of the registered one."""

    id: Annotated[str, Key] = ""
    service_id: Annotated[Id, fixed("The service.", required=True)]
    resource_name: Annotated[Name, fixed("The resource.", required=True)]
    resource_limit: Annotated[Amount, given("So many; -1: any.", required=True)]
    region_id: Annotated[RegionId | None, fixed("In this region.")] = None
    project_id: Annotated[Id | None, fixed("Of this project.", filtered=True, title="Project ID")] = None
    domain_id: Annotated[Id | None, fixed("Of this domain.", filtered=True)] = None
    description: Annotated[str | None, Words] = None


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A text that a service keeps here."""

    id: Annotated[str, Key] = ""
    type: Annotated[Name, given("MIME type.", filtered=True, required=True)]
    blob: Annotated[Blob, given("The text.", required=True, title="Rules")]


DOMAIN = describe(
    Domain,
    "domain",
    "domains",
    listed="id name enabled description",
    shown="id name enabled description options",
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
ROLE = describe(Role, "role", "roles", listed="id name", shown="id name domain_id description")
REGION = describe(
    Region,
    "region",
    "regions",
    listed="id parent_region_id description",
    shown="id description parent_region_id",
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
)
REGISTERED_LIMIT = describe(
    RegisteredLimit,
    "registered_limit",
    "registered_limits",
    listed="id service_id resource_name default_limit description region_id",
)
LIMIT = describe(
    Limit,
    "limit",
    "limits",
    listed="id project_id service_id resource_name resource_limit description region_id",
)
POLICY = describe(Policy, "policy", "policies", listed="id type", listed_long="id type blob")
