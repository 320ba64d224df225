"""How a record declares its attributes, and what follows from that for the API: parsing of POST and PUT.

Pure. A resource is one frozen record whose fields are ``Annotated`` with an ``Attribute``; validation, filters, sort
keys, ``fields``, policy rules, the table, the API's document and nebulactl's columns and options are derived from that
one declaration. Field names are Python's and the columns'; the API's name, where it differs (``router:external``), is
the field's msgspec name.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from nebula.errors import BadRequest, Forbidden, InvalidAttribute, NotFound
from nebula.model.accept import Accept, choice, shown

R = TypeVar("R", bound=msgspec.Struct)


class Who(enum.Enum):
    """Neutron's default policy for one attribute: whoever may make or change the object, or only some of them."""

    ANYONE = enum.auto()
    NETWORK_OWNER = enum.auto()
    ADMIN = enum.auto()


class Attribute(msgspec.Struct, frozen=True, kw_only=True):
    """What the API knows of one field.

    ``accept`` None: never in a request (of identity: what its type takes). ``sent``: the API shows it. ``stored``: a
    column of the record's own table has it. ``filtered``: may be a filter and a sort key (only where it is stored as
    plain text or number). ``changed_by`` None: who may set it in a POST may also in a PUT.

    Of its column: ``length`` of text in characters (0: any); ``indexed``, ``unique``: there is such an index of it
    alone; ``null_is``: what is stored for a null, where NULL never is (UNSET: what the service finds out);
    ``refers_to``: the declaration (``network:NETWORK``) of what it is the id of, and ``on_delete``: what becomes of
    this row when that one goes, in SQL's words (RESTRICT refuses it at once, NO ACTION when the statement ends);
    ``in_seconds``: a time, text in the API and seconds since the epoch there; ``server_default``: the database itself
    puts the default in.

    For people: ``about`` is one line of help; ``title`` its title in lists and ``flag`` its option
    (``--enable/--disable``), both made from its name where they are empty; ``usual`` is what nebulactl sends of what is
    required, where nothing is said.
    """

    accept: Accept | None = None
    post: bool = False
    put: bool = False
    required: bool = False
    filtered: bool = True
    stored: bool = True
    sent: bool = True
    seen_by: Who = Who.ANYONE
    set_by: Who = Who.ANYONE
    changed_by: Who | None = None
    length: int = 255
    indexed: bool = False
    unique: bool = False
    null_is: object = None
    refers_to: str = ""
    on_delete: Literal["RESTRICT", "CASCADE", "NO ACTION"] = "RESTRICT"
    in_seconds: bool = False
    server_default: bool = False
    about: str = ""
    title: str = ""
    flag: str = ""
    usual: str | int | None = None


class Extension(msgspec.Struct, frozen=True):
    """Neutron's word for a part of the API that may be there or not, with what the list of them says of it.

    Stands beside the ``Attribute`` of what it brings, or is said of the whole resource.
    """

    alias: str
    name: str
    about: str


class BoundAttribute(msgspec.Struct, frozen=True):
    """An attribute with its names, type and default. ``field`` is the record's (and column's), ``name`` the API's.

    ``type`` is without its parameters (``tuple``); ``optional``: None is a value too; ``choices``: all values, if few.
    """

    field: str
    name: str
    attribute: Attribute
    default: object
    type: type
    optional: bool
    choices: tuple[object, ...] = ()
    extension: Extension | None = None

    @property
    def is_filter(self) -> bool:
        """Of lists, by a column of the record's own table."""
        return self.attribute.filtered and self.attribute.stored


class Resource(msgspec.Struct, Generic[R], frozen=True):
    """A record type with its names: ``subnetpool`` and ``subnetpools`` in JSON, its table, its path below the version.

    ``words`` are people's for one (``subnet pool``), and make the names of error types (``SubnetPoolNotFound``).
    ``service``: whose API has it. ``limited``: there is a quota of how many a project may have. ``extension``: the one
    that it is of. ``unique``: these attributes together are there once. ``extensible``: attributes that nobody knows
    are stored and given back, in the column ``extra``. ``by_list``: a POST has a list of them, never one alone.

    ``listed`` is what people see in a list, ``listed_long`` where they ask for more, ``shown`` what they see of one, in
    this order (empty: all that is sent). They may name what the answer has beside the declared attributes. ``asked``
    are the attributes by which the openstack client can ask for a list, fewer than the API's filters.
    """

    record: type[R]
    singular: str
    plural: str
    words: str
    path: str
    table: str
    service: str
    limited: bool
    extension: Extension | None
    unique: tuple[str, ...]
    extensible: bool
    by_list: bool
    listed: tuple[str, ...]
    listed_long: tuple[str, ...]
    shown: tuple[str, ...]
    asked: tuple[str, ...]
    attributes: Mapping[str, BoundAttribute]

    @property
    def title(self) -> str:
        """``Subnet pool``: as it begins a message."""
        return self.words[0].upper() + self.words[1:]

    @property
    def is_changed(self) -> bool:
        """Whether any of it can be, once it is made."""
        return any(bound.attribute.put for bound in self.attributes.values())

    def error_type(self, what: str) -> str:
        """``SubnetPoolNotFound``."""
        return "".join(word[0].upper() + word[1:] for word in self.words.split()) + what

    def not_found(self, key: str) -> NotFound:
        """Neutron's words for an object that is not there, or that the caller may not know of."""
        return NotFound(f"{self.title} {shown(key)} could not be found.", type_name=self.error_type("NotFound"))

    def parse_post(self, body: object) -> dict[str, object]:
        """The values of a POST by API name; raises ``InvalidAttribute`` or ``BadRequest``."""
        given = self._given(body)
        for name in given:
            bound = self._known(name)
            if not bound.attribute.post:
                raise BadRequest(f"Attribute '{name}' not allowed in POST", type_name="HTTPBadRequest")
        for bound in self.attributes.values():
            if bound.attribute.required and bound.name not in given:
                raise BadRequest(
                    f"Failed to parse request. Required attribute '{bound.name}' not specified",
                    type_name="HTTPBadRequest",
                )
        return {name: self._accepted(name, value) for name, value in given.items()}

    def parse_put(self, body: object) -> dict[str, object]:
        """The values of a PUT by API name: only those that were given."""
        given = self._given(body)
        for name in given:
            bound = self._known(name)
            if not bound.attribute.put:
                raise BadRequest(f"Cannot update read-only attribute {name}", type_name="HTTPBadRequest")
        return {name: self._accepted(name, value) for name, value in given.items()}

    def make(self, values: Mapping[str, object]) -> R:
        """A record from values by API name."""
        return msgspec.convert(dict(values), self.record)

    def change(self, record: R, values: Mapping[str, object]) -> R:
        """The record with some values, by API name, replaced."""
        return msgspec.convert({**self.show(record), **values}, self.record)

    def show(self, record: R) -> dict[str, object]:
        """All values by API name, as JSON types."""
        shown = msgspec.to_builtins(record)
        assert isinstance(shown, dict)
        return shown

    def _given(self, body: object) -> dict[str, object]:
        if not isinstance(body, dict):
            raise BadRequest(
                f"Invalid input for {self.singular}. Reason: the resource is not a JSON object.",
                type_name="HTTPBadRequest",
            )
        given = dict(body)
        if "tenant_id" in given and "project_id" in self.attributes:
            tenant = given.pop("tenant_id")
            if given.setdefault("project_id", tenant) != tenant:
                raise BadRequest("'project_id' and 'tenant_id' do not match", type_name="HTTPBadRequest")
        return given

    def _known(self, name: str) -> BoundAttribute:
        bound = self.attributes.get(name)
        if bound is None:
            raise BadRequest(f"Unrecognized attribute(s) '{name[:100]}'", type_name="HTTPBadRequest")
        return bound

    def _accepted(self, name: str, value: object) -> object:
        accept = self.attributes[name].attribute.accept
        assert accept is not None
        try:
            return accept(value)
        except ValueError as error:
            raise InvalidAttribute(name, str(error)) from None


def describe(
    record: type[R],
    singular: str,
    plural: str,
    *,
    words: str = "",
    path: str = "",
    table: str = "",
    service: str = "network",
    limited: bool = False,
    extension: Extension | None = None,
    unique: str = "",
    extensible: bool = False,
    by_list: bool = False,
    listed: str = "",
    listed_long: str = "",
    shown: str = "",
    asked: str = "",
) -> Resource[R]:
    """Read the declaration of ``record``; raises ``TypeError`` where a field has no ``Attribute``.

    ``words``, ``path`` and ``table`` are made of ``singular`` and ``plural`` where they are empty. ``unique``: fields'
    names; ``listed``, ``listed_long``, ``shown``, ``asked``: API names; a list is asked for by the project and what it
    shows, where nothing else is said.
    """
    hints: dict[str, Any] = get_type_hints(record, include_extras=True)
    bound = {}
    for field in msgspec.structs.fields(record):
        hint = hints[field.name]
        beside = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        found = [a for a in beside if isinstance(a, Attribute)]
        if not found:
            raise TypeError(f"{record.__name__}.{field.name} has no Attribute")
        base, optional, choices = _plain(get_args(hint)[0])
        accepts = found[0].accept
        if isinstance(accepts, choice):
            choices = tuple(accepts.allowed)
        bound[field.encode_name] = BoundAttribute(
            field.name,
            field.encode_name,
            found[0],
            field.default,
            base,
            optional,
            choices,
            next((a for a in beside if isinstance(a, Extension)), None),
        )
    short = tuple(listed.split())
    long = tuple(listed_long.split()) or short
    return Resource(
        record,
        singular,
        plural,
        words or singular.replace("_", " "),
        path or f"/{plural.replace('_', '-')}",
        table or plural,
        service,
        limited,
        extension,
        tuple(unique.split()),
        extensible,
        by_list,
        short,
        long,
        tuple(shown.split()),
        tuple(asked.split()) or tuple(n for n in (*short, "project_id") if n in bound and bound[n].is_filter),
        bound,
    )


def _plain(hint: Any) -> tuple[type, bool, tuple[object, ...]]:
    """``tuple[str, ...] | None`` is a tuple, or None; of a ``Literal`` the type, and its values."""
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    some = next((kind for kind in kinds if kind is not NoneType), NoneType)
    if get_origin(some) is Annotated:
        some = get_args(some)[0]
    choices = get_args(some) if get_origin(some) is Literal else ()
    if choices:
        some = type(choices[0])
    return get_origin(some) or some, NoneType in kinds, choices


def raise_all(problems: Iterable[BadRequest | Forbidden | Exception]) -> None:
    """Raise the first problem, with the messages of all of the same class joined to its own."""
    found = list(problems)
    if not found:
        return
    first = found[0]
    others = [str(problem) for problem in found[1:]]
    if isinstance(first, BadRequest) and others:
        raise BadRequest(" ".join([str(first), *others]), type_name=first.type_name)
    raise first
