"""What the API accepts: whatever is sent is either a value of the right form or refused with a reason."""

from __future__ import annotations

import ipaddress
from typing import Annotated

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings

from nebula.errors import BadRequest, InvalidAttribute
from nebula.model import accept
from nebula.model.accept import Accept
from nebula.model.attribute import Attribute, Who, describe
from nebula.model.network import NETWORK
from nebula.model.port import PORT
from nebula.model.router import ROUTER, accept_gateway
from nebula.model.subnet import SUBNET

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=8,
)

EVERY: dict[str, Accept] = {
    f"{resource.singular}.{name}": bound.attribute.accept
    for resource in (NETWORK, SUBNET, PORT, ROUTER)
    for name, bound in resource.attributes.items()
    if bound.attribute.accept is not None
}


@given(value=json_values)
@settings(max_examples=50)
def test_anything_is_accepted_or_refused(value: object) -> None:
    """No JSON value makes an acceptor fail otherwise than with ``ValueError``, and what it accepts it accepts again."""
    for name, function in EVERY.items():
        try:
            found = function(value)
        except ValueError:
            continue
        assert (name, function(found)) == (name, found)


@given(st.text(max_size=60))
def test_text_that_is_an_address_is_one_line(text: str) -> None:
    """An accepted address or CIDR is canonical: nothing of the text's other bytes is in it."""
    for function, parse in ((accept.ip_address, ipaddress.ip_address), (accept.cidr, ipaddress.ip_network)):
        try:
            found = function(text)
        except ValueError:
            continue
        assert found == str(parse(str(found)))


@pytest.mark.parametrize("value", ["10.0.0.1", "fd00::1", "FD00:0:0::1"])
def test_addresses(value: str) -> None:
    """Both versions, in canonical text."""
    assert accept.ip_address(value) == str(ipaddress.ip_address(value))


@pytest.mark.parametrize(
    "value", ["10.0.0.1\n", " 10.0.0.1", "10.0.0.01", "10.0.0.1/32", "fe80::1%eth0", "", 167772161]
)
def test_no_addresses(value: object) -> None:
    """Blanks, leading zeros, prefixes, zones and numbers are refused."""
    with pytest.raises(ValueError, match="is not a valid IP address"):
        accept.ip_address(value)


@pytest.mark.parametrize(
    ("function", "value", "reason"),
    [
        (accept.boolean, "yes", "'yes' cannot be converted to boolean"),
        (accept.string(3), "abcd", "'abcd' exceeds maximum length of 3"),
        (accept.string(), 5, "'5' is not a valid string"),
        (accept.integer(1, 5), "9", "'9' is too large - must be no larger than '5'"),
        (accept.integer(1, 5), True, "'True' is not an integer"),
        (accept.choice(("a", "b")), "c", "'c' is not in ['a', 'b']"),
        (accept.identifier, "x", "'x' is not a valid UUID"),
        (accept.mac_address, "x", "'x' is not a valid MAC address"),
        (accept.cidr, "10.0.0.1/24", "'10.0.0.1/24' isn't a recognized IP subnet cidr, '10.0.0.0/24' is recommended"),
        (accept.nameservers, ["1.1.1.1", "1.1.1.1"], "Duplicate nameserver '1.1.1.1'"),
        (accept.pools, "x", "Invalid data format for IP pool: 'x'"),
        (accept.fixed_ips, [{"x": 1}], "Invalid data format for fixed IP: '{'x': 1}'"),
    ],
)
def test_reasons(function: Accept, value: object, reason: str) -> None:
    """The reasons are neutron-lib's."""
    with pytest.raises(ValueError) as caught:
        function(value)
    assert str(caught.value) == reason


def test_reasons_are_short() -> None:
    """A megabyte that is refused does not come back as a megabyte."""
    with pytest.raises(ValueError, match="exceeds maximum length") as caught:
        accept.string()("x" * 1_000_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("nothing", [None, {}])
def test_no_gateway(nothing: object) -> None:
    """Null and the empty object both take the gateway away."""
    assert accept_gateway(nothing) is None


class Thing(msgspec.Struct, frozen=True, kw_only=True):
    """A resource with one attribute of each sort."""

    id: Annotated[str, Attribute()] = ""
    name: Annotated[str, Attribute(accept=accept.string(), post=True, put=True)] = ""
    size: Annotated[int, Attribute(accept=accept.integer(0, 9), post=True, required=True)]
    secret: Annotated[
        bool, Attribute(accept=accept.boolean, post=True, put=True, set_by=Who.ADMIN, seen_by=Who.ADMIN)
    ] = msgspec.field(name="x:secret", default=False)


THING = describe(Thing, "thing", "things")


def test_declaration() -> None:
    """Parsing and records follow from the declaration."""
    values = THING.parse_post({"size": "5", "x:secret": "true"})
    assert THING.make(values) == Thing(size=5, secret=True)
    assert THING.change(Thing(size=5), {"x:secret": True}) == Thing(size=5, secret=True)
    assert THING.show(Thing(size=5)) == {"id": "", "name": "", "size": 5, "x:secret": False}


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ({}, BadRequest, "Failed to parse request. Required attribute 'size' not specified"),
        ({"size": 10}, InvalidAttribute, "Invalid input for size. Reason: '10' is too large"),
        ({"size": 1, "id": "x"}, BadRequest, "id"),
        ({"size": 1, "colour": 1}, BadRequest, "Unrecognized attribute.s. 'colour'"),
        ([], BadRequest, "not a JSON object"),
    ],
)
def test_refused_bodies(body: object, error: type[Exception], message: str) -> None:
    """Each names the attribute."""
    with pytest.raises(error, match=message):
        THING.parse_post(body)


def test_put_takes_only_what_changes() -> None:
    """An attribute that is fixed at creation cannot be sent later."""
    assert THING.parse_put({"name": "x"}) == {"name": "x"}
    with pytest.raises(BadRequest, match="Cannot update read-only attribute size"):
        THING.parse_put({"size": 1})


def test_field_without_attribute() -> None:
    """A field that nobody declared is found when the program starts, not by a user."""

    class Wrong(msgspec.Struct):
        name: str = ""

    with pytest.raises(TypeError, match=r"Wrong\.name"):
        describe(Wrong, "wrong", "wrongs")
