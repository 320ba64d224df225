"""The nouns of the command line: where each lives in the API, and its columns under the openstack client's titles.

Pure. Those that ``nebula.model`` declares take their columns from there; here is what is the client's own way. Titles,
order and forms are those of python-openstackclient 10.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from nebulactl import declared
from nebulactl.api import COMPUTE, NETWORK, Json

if TYPE_CHECKING:
    from nebula.model.attribute import Resource


class Form(enum.Enum):
    """How a value reads for people; ``-f json|value`` print the API's value."""

    PLAIN = enum.auto()
    SORTED_LIST = enum.auto()
    ORDERED_LIST = enum.auto()
    DICT = enum.auto()
    DICTS = enum.auto()
    SUBPORTS = enum.auto()
    JSON = enum.auto()
    STATE = enum.auto()
    ROUTER_TYPE = enum.auto()
    ALIVE = enum.auto()
    POOLS = enum.auto()
    ROUTES = enum.auto()
    ADDRESSES = enum.auto()
    RULES = enum.auto()
    RULES_OF_QOS = enum.auto()
    NAMES = enum.auto()


class Column(msgspec.Struct, frozen=True):
    """A title and the API's attribute under it. ``optional``: in a list only where a resource has it."""

    title: str
    attribute: str
    optional: bool = False


class Noun(msgspec.Struct, frozen=True, dict=True):
    """A kind of resource.

    ``declared``: its declaration, ``network:NETWORK`` in ``nebula.model``, which is imported when it is first asked
    for. From it follow its words and place in the API, columns, fields and plain options. Then ``shown`` are fields
    beside the declared ones, which the client prints though nothing here has them; ``renamed`` are titles of fields by
    attribute, ``placed`` what some are sorted by instead of their titles, and ``unknown`` are attributes that the
    client does not know. ``titled``: the fields of one are the columns of a list.

    Without a declaration ``name`` is the word for it, ``path`` its place under the version of the network service (or
    ``of_service``), whose last part is the JSON key of the collection, ``key`` (if not ``name``) the key of one,
    ``shown`` are the fields and ``listed`` a list's columns;
    ``listed_more`` are those of ``--long``. What is given here goes before the declaration.

    ``open_ended`` nouns show attributes beyond their fields too (the client's way with unknown ones), except the
    ``hidden``. ``forms`` go by attribute, or by title where a list and ``show`` differ; ``absent`` are values of what
    is not there; ``optional`` columns are in a list only where a resource has them. ``in_domain``: names are unique in
    a domain only.
    """

    declared: str = ""
    name: str = ""
    path: str = ""
    of_service: str = ""
    listed: tuple[Column, ...] = ()
    listed_more: tuple[Column, ...] = ()
    shown: tuple[Column, ...] = ()
    renamed: Mapping[str, str] = {}
    placed: Mapping[str, str] = {}
    unknown: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    open_ended: bool = False
    titled: bool = False
    forms: Mapping[str, Form] = {}
    absent: Mapping[str, Json] = {}
    key: str = ""
    name_attribute: str = ""
    in_domain: bool = False

    @property
    def service(self) -> str:
        """Whose API has it."""
        return self.of_service or (self._resource.service if self.declared else NETWORK)

    @property
    def of_network(self) -> bool:
        """Declared, and the network service's."""
        return bool(self.declared) and self.service == NETWORK

    @property
    def words(self) -> str:
        """People's for one."""
        return self.name or self._resource.words

    @property
    def one(self) -> str:
        """With its article: an RBAC policy."""
        return f"an {self.words}" if self.words[0] in "aeioER" else f"a {self.words}"

    @property
    def plural(self) -> str:
        """People's for several."""
        return f"{self.words[:-1]}ies" if self.words.endswith("y") else f"{self.words}s"

    @property
    def route(self) -> str:
        """Its path under the service's version."""
        return self.path or self._resource.path

    @property
    def item_key(self) -> str:
        """The JSON key around one resource."""
        return self.key or (self._resource.singular if self.declared else self.name)

    @property
    def list_key(self) -> str:
        """The JSON key around several."""
        return self._resource.plural if self.declared else self.route.rpartition("/")[2].replace("-", "_")

    @property
    def by_list(self) -> bool:
        """Whether the API makes several at a time."""
        return bool(self.declared) and self._resource.by_list

    @property
    def known_by(self) -> str:
        """The attribute by which people name one."""
        nameless = self.declared and "name" not in self._resource.attributes
        return self.name_attribute or ("id" if nameless else "name")

    @property
    def _resource(self) -> Resource[Any]:
        return declared.resource(self.declared)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Those of a list."""
        return self.listed or self._columns(self._resource.listed)

    @cached_property
    def columns_long(self) -> tuple[Column, ...]:
        """Those of a list with ``--long``."""
        columns = self.listed or self._columns(self._resource.listed_long)
        return columns + self.listed_more

    @cached_property
    def fields(self) -> tuple[Column, ...]:
        """Those of one resource."""
        if not self.declared:
            return self.shown
        if self.titled:
            return self.columns + self.shown
        resource = self._resource
        if resource.shown:
            return tuple(Column(self.renamed.get(name, name), name) for name in resource.shown)
        sent = (a.name for a in resource.attributes.values() if a.attribute.sent)
        known = [Column(self.renamed.get(n, n), n) for n in sent if n not in self.hidden and n not in self.unknown]
        return tuple(sorted((*known, *self.shown), key=lambda column: self.placed.get(column.attribute, column.title)))

    def _columns(self, names: Iterable[str]) -> tuple[Column, ...]:
        resource = self._resource
        return tuple(Column(declared.title(resource, name), name, name in self.optional) for name in names)

    def form(self, column: Column) -> Form:
        return self.forms.get(column.title) or self.forms.get(column.attribute, Form.PLAIN)


def titled(**titles: str) -> tuple[Column, ...]:
    """``MAC_Address="mac_address"`` is the column ``MAC Address``."""
    return tuple(Column(title.replace("_", " "), attribute) for title, attribute in titles.items())


def named(names: str, **renamed: str) -> tuple[Column, ...]:
    """Names that are their own titles, and title="attribute" for the others; sorted by title, as the client does."""
    columns = [Column(name, name) for name in names.split()]
    columns += [Column(title, attribute) for title, attribute in renamed.items()]
    return tuple(sorted(columns, key=lambda column: column.title))


NETWORK_NOUN = Noun(
    declared="network:NETWORK",
    shown=named("pvlan segments", is_vlan_qinq="vlan_qinq", is_vlan_transparent="vlan_transparent"),
    hidden=frozenset({"tenant_id"}),
    open_ended=True,
    forms={
        "subnets": Form.SORTED_LIST,
        "admin_state_up": Form.STATE,
        "router:external": Form.ROUTER_TYPE,
        "availability_zones": Form.SORTED_LIST,
        "availability_zone_hints": Form.SORTED_LIST,
        "tags": Form.SORTED_LIST,
    },
)

SUBNET = Noun(
    declared="subnet:SUBNET",
    shown=named("segment_id"),
    hidden=frozenset({"tenant_id", "prefixlen", "use_default_subnetpool"}),
    open_ended=True,
    forms={
        "allocation_pools": Form.POOLS,
        "dns_nameservers": Form.ORDERED_LIST,
        "host_routes": Form.ROUTES,
        "service_types": Form.SORTED_LIST,
        "tags": Form.SORTED_LIST,
    },
)

PORT = Noun(
    declared="port:PORT",
    listed_more=titled(Trunk_subports="trunk_details"),
    shown=named(
        "data_plane_status device_profile dns_domain hardware_offload_type hints ip_allocation numa_affinity_policy "
        "propagate_uplink_status pvlan_community pvlan_type trunk_details trusted"
    ),
    placed={
        "pvlan_community": "pvlan_type 2",
        "qos_network_policy_id": "revision_number 2",
        "qos_policy_id": "revision_number 3",
    },
    renamed={
        "security_groups": "security_group_ids",
        **{f"binding:{x}": f"binding_{x}" for x in ("host_id", "profile", "vif_details", "vif_type", "vnic_type")},
    },
    forms={
        "admin_state_up": Form.STATE,
        "allowed_address_pairs": Form.DICTS,
        "binding:profile": Form.DICT,
        "binding:vif_details": Form.DICT,
        "dns_assignment": Form.DICTS,
        "extra_dhcp_opts": Form.DICTS,
        "fixed_ips": Form.DICTS,
        "security_groups": Form.SORTED_LIST,
        "tags": Form.SORTED_LIST,
        "Trunk subports": Form.SUBPORTS,
    },
    absent={"hints": ""},
    hidden=frozenset({"warnings"}),
)

ROUTER = Noun(
    declared="router:ROUTER",
    shown=named("enable_ndp_proxy"),
    unknown=frozenset({"distributed", "ha"}),
    optional=frozenset({"distributed", "ha", "availability_zones"}),
    hidden=frozenset({"tenant_id"}),
    open_ended=True,
    forms={
        "admin_state_up": Form.STATE,
        "external_gateway_info": Form.JSON,
        "interfaces_info": Form.JSON,
        "availability_zones": Form.SORTED_LIST,
        "availability_zone_hints": Form.SORTED_LIST,
        "routes": Form.ROUTES,
        "tags": Form.SORTED_LIST,
    },
)

INSTANCE = Noun(
    name="instance",
    path="/servers",
    of_service=COMPUTE,
    key="server",
    listed=titled(ID="id", Name="name", Status="status", Networks="addresses", Node="OS-EXT-SRV-ATTR:host"),
    listed_more=titled(Project="tenant_id", Created="created"),
    shown=named(
        "addresses created id name status updated",
        node="OS-EXT-SRV-ATTR:host",
        project_id="tenant_id",
        fault="fault",
    ),
    forms={"addresses": Form.ADDRESSES},
)

DOMAIN = Noun(declared="identity:DOMAIN")

PROJECT = Noun(
    in_domain=True,
    declared="identity:PROJECT",
    hidden=frozenset({"links"}),
    open_ended=True,
)

USER = Noun(
    in_domain=True,
    declared="identity:USER",
    absent={"options": {}},
)

ROLE = Noun(in_domain=True, declared="identity:ROLE")
