"""``/v2.0/address-groups``, with adding and removing of addresses. Effects: SQL in a transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert, select

from nebula.errors import BadRequest, Conflict, InvalidAttribute, NotFound
from nebula.model.security_group import AddressGroup, addresses
from nebula_controller.api.context import RequestContext
from nebula_controller.api.endpoint import Answer, Call, Operation
from nebula_controller.api.readable import Row
from nebula_controller.network import groups, rows
from nebula_controller.network.sharing import Shareable
from nebula_controller.store.database import Transaction
from nebula_controller.store.tables import security as tables

_table = tables.address_group_addresses
_of_groups = (
    select(_table.c.address_group_id, _table.c.address)
    .where(rows.among(_table.c.address_group_id))
    .order_by(_table.c.address_group_id, _table.c.address)
)
_add = insert(_table)
_remove = delete(_table).where(_table.c.address_group_id == bindparam("group"), _table.c.address == bindparam("gone"))


class AddressGroups(Shareable[AddressGroup]):
    """Named sets of addresses."""

    of = (groups.ADDRESS_GROUPS,)

    def operations(self) -> list[Operation]:
        path = "/v2.0/address-groups/{id}"
        return [
            *super().operations(),
            Operation("PUT", f"{path}/add_addresses", self._add_addresses),
            Operation("PUT", f"{path}/remove_addresses", self._remove_addresses),
        ]

    def touch(self, tx: Transaction, record: AddressGroup) -> None:
        for group in groups.referring_to_addresses(tx, record.id):
            groups.touch(tx, group)

    def create(self, tx: Transaction, context: RequestContext, values: Row) -> AddressGroup:
        made = super().create(tx, context, values)
        self._write(tx, made.id, made.addresses)
        return made

    def delete(self, tx: Transaction, context: RequestContext, old: AddressGroup) -> None:
        if groups.referring_to_addresses(tx, old.id):
            raise Conflict(
                f"Address group {old.id} is in use on one or more security group rules.", type_name="AddressGroupInUse"
            )
        super().delete(tx, context, old)

    def expand(self, tx: Transaction, shown: Sequence[Row]) -> None:
        found = rows.grouped(tx.execute(_of_groups, rows.ids(shown)))
        for row in shown:
            row["addresses"] = found.get(row["id"], [])

    def _add_addresses(self, call: Call) -> Answer:
        given = _given(call)
        with self.database.write(call.context) as tx:
            old = self.load(tx, call.context, call)
            known = [address for address in given if address in self._present_in(tx, old)]
            if known:
                raise BadRequest(
                    f"Addresses {', '.join(known)} already exist in the address group {old.id}.",
                    type_name="AddressesAlreadyExist",
                )
            self._write(tx, old.id, given)
            return self._changed(tx, call, old)

    def _remove_addresses(self, call: Call) -> Answer:
        given = _given(call)
        with self.database.write(call.context) as tx:
            old = self.load(tx, call.context, call)
            present = self._present_in(tx, old)
            missing = [address for address in given if address not in present]
            if missing:
                raise NotFound(
                    f"Addresses {', '.join(missing)} not found in the address group {old.id}.",
                    type_name="AddressesNotFound",
                )
            for address in given:
                tx.execute(_remove, {"group": old.id, "gone": address})
            return self._changed(tx, call, old)

    def _present_in(self, tx: Transaction, group: AddressGroup) -> set[object]:
        return {address for _, address in tx.execute(_of_groups, rows.ids([{"id": group.id}]))}

    def _write(self, tx: Transaction, group_id: str, given: Sequence[str]) -> None:
        if given:
            tx.execute(_add, [{"address_group_id": group_id, "address": address} for address in given])

    def _changed(self, tx: Transaction, call: Call, old: AddressGroup) -> Answer:
        groups.ADDRESS_GROUPS.save(tx, old, old, always=True)
        self.touch(tx, old)
        return Answer(200, {"address_group": self.fetch(tx, call.context, old.id)})


def _given(call: Call) -> list[str]:
    body = call.json()
    wrapped = body.get("address_group") if isinstance(body, dict) else None
    if not isinstance(wrapped, dict) or set(wrapped) != {"addresses"}:
        raise BadRequest("Unable to find 'address_group' with 'addresses' in request body", type_name="HTTPBadRequest")
    try:
        return addresses(wrapped["addresses"])
    except ValueError as error:
        raise InvalidAttribute("addresses", str(error)) from None
