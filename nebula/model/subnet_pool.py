"""A subnet pool as the API has it: blocks of addresses that subnets are cut from. Pure."""

from __future__ import annotations

from typing import Annotated

import msgspec

from nebula.model import accept
from nebula.model.attribute import Attribute, Extension, Who, describe
from nebula.model.standard import Shared, Standard, reference, settable

QUOTA_LARGEST = 2**31 - 1


def _length(which: str, title: str = "") -> Attribute:
    words = {"min": "Shortest length of what is cut.", "max": "Longest length of what is cut."}
    about, flag = words.get(which, "Length of what is cut, by default."), f"--{which}-prefix-length"
    return settable(accept.integer(0, 128), about, title=title, flag=flag)


class SubnetPool(Standard, frozen=True, kw_only=True):
    """Prefixes of one IP version, merged and sorted, and the sizes of what is cut from them.

    A length of 0 in the default stands for what the version's default is (``rules.subnet_pools.complete``).
    ``default_quota`` is what one project may have of the pool: IPv4 addresses, or IPv6 blocks of 64 bits; None for all.
    """

    name: Annotated[
        str,
        settable(accept.not_empty(accept.string()), "Name.", required=True, indexed=True),
    ]
    prefixes: Annotated[
        tuple[str, ...],
        settable(
            accept.list_of(accept.cidr, "subnet", "subnet"),
            "Prefix to cut from.",
            required=True,
            filtered=False,
            flag="--pool-prefix",
        ),
    ] = ()
    ip_version: Annotated[int, Attribute()] = 4
    min_prefixlen: Annotated[int, _length("min")] = 0
    max_prefixlen: Annotated[int, _length("max")] = 0
    default_prefixlen: Annotated[int, _length("default", "Default Prefix Length")] = 0
    default_quota: Annotated[
        int | None,
        settable(accept.optional(accept.integer(0, QUOTA_LARGEST)), "Quota of each project."),
    ] = None
    address_scope_id: Annotated[
        str | None,
        reference(
            "address_scope:ADDRESS_SCOPE", optional=True, post=True, put=True, indexed=True, about="Its address scope."
        ),
    ] = None
    is_default: Annotated[
        bool,
        settable(
            accept.boolean,
            "The default of its IP version.",
            set_by=Who.ADMIN,
            title="Default Subnet Pool",
            flag="--default/--no-default",
        ),
    ] = False
    shared: Annotated[bool, msgspec.structs.replace(Shared, put=False)] = False


SUBNET_POOL = describe(
    SubnetPool,
    "subnetpool",
    "subnetpools",
    words="subnet pool",
    table="subnet_pools",
    limited=True,
    extension=Extension("subnet_allocation", "Subnet Allocation", "Enables allocation of subnets from a subnet pool."),
    listed="id name prefixes",
    listed_long="id name prefixes default_prefixlen address_scope_id is_default shared tags",
    asked="name address_scope_id is_default shared project_id tags",
)
