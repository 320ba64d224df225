"""An address scope as the API has it: where addresses are unique, so that no NAT is needed inside. Pure."""

from __future__ import annotations

from typing import Annotated

from nebula.model import accept
from nebula.model.attribute import Extension, describe
from nebula.model.standard import Shared, Standard, fixed


class AddressScope(Standard, frozen=True, kw_only=True):
    """The pools of one IP version that share no address."""

    ip_version: Annotated[int, fixed(accept.choice((4, 6)), "4 or 6.", required=True, usual=4)]
    shared: Annotated[bool, Shared] = False


ADDRESS_SCOPE = describe(
    AddressScope,
    "address_scope",
    "address_scopes",
    extension=Extension(
        "address-scope", "Address scope", "Pools that share no address, and what follows for networks."
    ),
    listed="id name ip_version shared project_id",
    asked="name ip_version shared project_id",
)
