"""A subnet pool as the API has it: blocks of addresses that subnets are cut from. Pure."""

from __future__ import annotations

from typing import Annotated

from nebula.model import accept
from nebula.model.attribute import Attribute, Who, describe
from nebula.model.standard import Standard, reference

QUOTA_LARGEST = 2**31 - 1

_length = Attribute(accept=accept.integer(0, 128), post=True, put=True)


class SubnetPool(Standard, frozen=True, kw_only=True):
    """Prefixes of one IP version, merged and sorted, and the sizes of what is cut from them.

    A length of 0 in the default stands for what the version's default is (``rules.subnet_pools.complete``).
    ``default_quota`` is what one project may have of the pool: IPv4 addresses, or IPv6 blocks of 64 bits; None for all.
    """

    name: Annotated[
        str, Attribute(accept=accept.not_empty(accept.string()), post=True, put=True, required=True, indexed=True)
    ]
    prefixes: Annotated[
        tuple[str, ...],
        Attribute(
            accept=accept.list_of(accept.cidr, "subnet", "subnet"), post=True, put=True, required=True, filtered=False
        ),
    ] = ()
    ip_version: Annotated[int, Attribute()] = 4
    min_prefixlen: Annotated[int, _length] = 0
    max_prefixlen: Annotated[int, _length] = 0
    default_prefixlen: Annotated[int, _length] = 0
    default_quota: Annotated[
        int | None, Attribute(accept=accept.optional(accept.integer(0, QUOTA_LARGEST)), post=True, put=True)
    ] = None
    address_scope_id: Annotated[
        str | None, reference("address_scopes", optional=True, post=True, put=True, indexed=True)
    ] = None
    is_default: Annotated[bool, Attribute(accept=accept.boolean, post=True, put=True, set_by=Who.ADMIN)] = False
    shared: Annotated[
        bool, Attribute(accept=accept.boolean, post=True, set_by=Who.ADMIN, stored=False, filtered=False)
    ] = False


SUBNET_POOL = describe(SubnetPool, "subnetpool", "subnetpools", table="subnet_pools")
