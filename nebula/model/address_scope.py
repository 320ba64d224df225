"""An address scope as the API has it: where addresses are unique, so that no NAT is needed inside. Pure."""

from __future__ import annotations

from typing import Annotated

from nebula.model import accept
from nebula.model.attribute import Attribute, Who, describe
from nebula.model.standard import Standard


class AddressScope(Standard, frozen=True, kw_only=True):
    """The pools of one IP version that share no address."""

    ip_version: Annotated[int, Attribute(accept=accept.choice((4, 6)), post=True, required=True)]
    shared: Annotated[
        bool, Attribute(accept=accept.boolean, post=True, put=True, set_by=Who.ADMIN, stored=False, filtered=False)
    ] = False


ADDRESS_SCOPE = describe(AddressScope, "address_scope", "address_scopes")
