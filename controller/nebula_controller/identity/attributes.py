"""What a caller may set on each kind of identity object: names, types, lengths, defaults.

Pure. One record for creation and one for change (PATCH) of each kind; UNSET means "not given". Limits are those
of Keystone's JSON schemas. Attributes that are not listed are stored and given back, as Keystone does.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from nebula.errors import BadRequest, InvalidAttribute

Name = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"\S")]
ShortName = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"\S")]
Tag = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^,/]*$")]
Tags = Annotated[list[Tag], Meta(max_length=80)]
Id = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-zA-Z0-9_-]+$")]
RegionId = Annotated[str, Meta(max_length=255, pattern=r"^[^/]*$")]
Url = Annotated[str, Meta(min_length=1, max_length=225, pattern=r"^[a-zA-Z0-9+.-]+://|^\$\(")]
Password = Annotated[str, Meta(min_length=1, max_length=4096)]
Interface = Literal["public", "internal", "admin"]

T = TypeVar("T", bound=msgspec.Struct)


class Lock(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``options`` of domains, projects and roles: an immutable one is neither changed nor deleted. None: not set."""

    immutable: bool | UnsetType | None = UNSET


class UserOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """``options`` of users: from which password rules somebody is excepted. None: not set."""

    ignore_change_password_upon_first_use: bool | UnsetType | None = UNSET
    ignore_password_expiry: bool | UnsetType | None = UNSET
    ignore_lockout_failure_attempts: bool | UnsetType | None = UNSET
    lock_password: bool | UnsetType | None = UNSET


class DomainNew(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /domains."""

    name: ShortName
    description: str | None = None
    enabled: bool = True
    options: Lock = Lock()


class DomainChange(msgspec.Struct, frozen=True, kw_only=True):
    """Body of PATCH /domains/{id}."""

    name: ShortName | UnsetType = UNSET
    description: str | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    options: Lock | UnsetType = UNSET


class ProjectNew(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /projects. ``parent_id`` may name the domain: then the project is at its top."""

    name: ShortName
    domain_id: Id | None = None
    parent_id: Id | None = None
    description: str | None = None
    enabled: bool = True
    is_domain: bool = False
    tags: Tags = []
    options: Lock = Lock()


class ProjectChange(msgspec.Struct, frozen=True, kw_only=True):
    """Body of PATCH /projects/{id}; domain and parent stay as they are."""

    name: ShortName | UnsetType = UNSET
    domain_id: Id | UnsetType | None = UNSET
    parent_id: Id | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    is_domain: bool | UnsetType = UNSET
    tags: Tags | UnsetType = UNSET
    options: Lock | UnsetType = UNSET


class UserNew(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /users. Without a password the user cannot log in."""

    name: Name
    domain_id: Id | None = None
    default_project_id: str | None = None
    description: str | None = None
    enabled: bool | None = True
    password: Password | None = None
    options: UserOptions = UserOptions()


class UserChange(msgspec.Struct, frozen=True, kw_only=True):
    """Body of PATCH /users/{id}."""

    name: Name | UnsetType = UNSET
    domain_id: Id | UnsetType | None = UNSET
    default_project_id: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET
    password: Password | UnsetType | None = UNSET
    options: UserOptions | UnsetType = UNSET


class PasswordChange(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /users/{id}/password, by the user itself."""

    original_password: str
    password: Password


class GroupNew(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /groups."""

    name: ShortName
    domain_id: Id | None = None
    description: str | None = None


class GroupChange(msgspec.Struct, frozen=True, kw_only=True):
    """Body of PATCH /groups/{id}."""

    name: ShortName | UnsetType = UNSET
    domain_id: Id | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET


class RoleNew(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /roles. With a domain, the role can only be given in that domain."""

    name: Name
    domain_id: Id | None = None
    description: str | None = None
    options: Lock = Lock()


class RoleChange(msgspec.Struct, frozen=True, kw_only=True):
    """Body of PATCH /roles/{id}."""

    name: Name | UnsetType = UNSET
    domain_id: Id | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    options: Lock | UnsetType = UNSET


class RegionNew(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /regions; an id is made where none is given."""

    id: RegionId | None = None
    parent_region_id: RegionId | None = None
    description: str | None = None


class RegionChange(msgspec.Struct, frozen=True, kw_only=True):
    """Body of PATCH /regions/{id}."""

    parent_region_id: RegionId | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET


class ServiceNew(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /services."""

    type: Name
    name: Name | None = None
    description: str | None = None
    enabled: bool = True


class ServiceChange(msgspec.Struct, frozen=True, kw_only=True):
    """Body of PATCH /services/{id}."""

    type: Name | UnsetType = UNSET
    name: Name | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET


class EndpointNew(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /endpoints. ``region`` is the old word for ``region_id``."""

    service_id: Id
    interface: Interface
    url: Url
    region_id: RegionId | None = None
    region: RegionId | None = None
    enabled: bool = True


class EndpointChange(msgspec.Struct, frozen=True, kw_only=True):
    """Body of PATCH /endpoints/{id}."""

    service_id: Id | UnsetType = UNSET
    interface: Interface | UnsetType = UNSET
    url: Url | UnsetType = UNSET
    region_id: RegionId | UnsetType | None = UNSET
    region: RegionId | UnsetType | None = UNSET
    enabled: bool | UnsetType = UNSET


class CredentialNew(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /credentials. ``blob`` is text of whatever form; for ``ec2`` JSON with ``access`` and ``secret``."""

    type: Name
    blob: Annotated[str, Meta(max_length=65_536)]
    user_id: Id | None = None
    project_id: Id | None = None


class CredentialChange(msgspec.Struct, frozen=True, kw_only=True):
    """Body of PATCH /credentials/{id}."""

    type: Name | UnsetType = UNSET
    blob: Annotated[str, Meta(max_length=65_536)] | UnsetType = UNSET
    user_id: Id | UnsetType = UNSET
    project_id: Id | UnsetType | None = UNSET


class Ec2New(msgspec.Struct, frozen=True, kw_only=True):
    """Body of POST /users/{user_id}/credentials/OS-EC2; a project is still a tenant here."""

    tenant_id: Id


def read_object(body: bytes, singular: str) -> dict[str, object]:
    """The object under ``{"<singular>": {...}}``. BadRequest where the body is anything else."""
    inner = read_body(body).get(singular)
    if not isinstance(inner, dict):
        raise InvalidAttribute(singular, "the body has to hold an object under this name")
    return inner


def read_body(body: bytes) -> dict[str, object]:
    """The JSON object that a body is. BadRequest where it is anything else."""
    try:
        return msgspec.json.decode(body or b"null", type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest("The body is not a JSON object.") from error


def convert(values: dict[str, object], record: type[T]) -> T:
    """``values`` as ``record``. InvalidAttribute names the attribute that is wrong or missing."""
    try:
        return msgspec.convert(values, record)
    except msgspec.ValidationError as error:
        raise _named(str(error)) from error


def given(record: msgspec.Struct) -> dict[str, object]:
    """The attributes of a record that were given (or have a default), by name."""
    pairs = ((name, getattr(record, name)) for name in record.__struct_fields__)
    return {name: value for name, value in pairs if value is not UNSET}


def extras(values: dict[str, object], record: type[msgspec.Struct]) -> dict[str, object]:
    """The attributes that the record does not know and we only store."""
    known = {*record.__struct_fields__, "id", "links"}
    return {name: value for name, value in values.items() if name not in known}


def _named(problem: str) -> InvalidAttribute:
    """msgspec says ``Expected `str`, got `int` - at `$.name``` or ``Object missing required field `name```."""
    reason, _, path = problem.partition(" - at `$")
    if path:
        return InvalidAttribute(path.strip("`").lstrip("."), reason)
    missing = reason.rpartition(" field `")[2].strip("`")
    return InvalidAttribute(missing, "it is required") if missing != reason else InvalidAttribute("body", reason)
