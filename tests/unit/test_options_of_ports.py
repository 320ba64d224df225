"""DHCP options of ports: what is one, and the lines and names that dnsmasq's files have of ports."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nebula.compile.render import dnsmasq
from nebula.ids import PortId, SubnetId
from nebula.model import dhcp_option
from nebula.view.records import DhcpHost, DhcpOption, FixedIp, SubnetView

PORT, OTHER = PortId("11111111-1111-4111-8111-111111111111"), PortId("22222222-2222-4222-8222-222222222222")
SUBNET = SubnetView(SubnetId("s1"), "s", "192.168.50.0/24", 4, "192.168.50.1", True, (), ())
MAC = "fa:16:3e:00:00:09"


def host(name: str = "web", *options: DhcpOption, port: PortId = PORT) -> DhcpHost:
    return DhcpHost(port, MAC, name, (FixedIp(SUBNET.id, "192.168.50.9"),), options)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("mtu", "1400", "option:mtu,1400"),
        ("26", "1400", "26,1400"),
        ("ntp-server", "10.0.0.8,10.0.0.9", "option:ntp-server,10.0.0.8,10.0.0.9"),
        ("bootfile-name", "http://a/b,c;d#e f", 'option:bootfile-name,"http://a/b,c;d#e f"'),
        ("67", "a b", '67,"a b"'),
        ("domain-search", "a.example,b_c", "option:domain-search,a.example,b_c"),
        ("router", "", "option:router"),
        ("classless-static-route", "", "option:classless-static-route"),
        ("classless-static-route", "10.0.0.0/8,10.1.1.1", "option:classless-static-route,10.0.0.0/8,10.1.1.1"),
        ("T1", "4294967295", "option:T1,4294967295"),
        ("server-ip-address", "10.0.0.9", "option:server-ip-address,10.0.0.9"),
        ("43", "01:02:ff", "43,01:02:ff"),
        ("200", "ldap://x/y", "200,ldap://x/y"),
    ],
)
def test_line(name: str, value: str, expected: str) -> None:
    """By name or number, in the form that dnsmasq has for the option; text stands in quotes."""
    assert dhcp_option.line(name, value) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mtu", ""),
        ("mtu", "65536"),
        ("mtu", "-1"),
        ("mtu", "\N{ARABIC-INDIC DIGIT ONE}"),
        ("26", "abc"),
        ("default-ttl", "256"),
        ("T2", "4294967296"),
        ("ntp-server", "ntp.example"),
        ("ntp-server", "10.0.0.8,"),
        ("ntp-server", "010.0.0.8"),
        ("3", "2001:db8::1"),
        ("netmask", "255.0.0.0,255.0.0.0"),
        ("classless-static-route", "10.0.0.0/8"),
        ("classless-static-route", "10.0.0.1/8,10.1.1.1"),
        ("classless-static-route", "10.0.0.0/255.0.0.0,10.1.1.1"),
        ("121", "10.0.0.0,10.1.1.1"),
        ("domain-search", "a..b"),
        ("domain-search", "x" * 64),
        ("bootfile-name", "x" * 256),
        ("bootfile-name", " "),
        ("bootfile-name", 'a"b'),
        ("bootfile-name", "a\\b"),
        ("bootfile-name", "a\nlog-facility=/x"),
        ("bootfile-name", "\N{SNOWMAN}"),
        ("43", "7"),
        ("28", "7"),
        ("200", "a b"),
        ("200", "*"),
        ("200", ""),
        ("200", "a\n"),
    ],
)
def test_value_of_another_form_is_refused(name: str, value: str) -> None:
    """The error names the option and says what a value of it is."""
    with pytest.raises(ValueError, match=f"is no value of the DHCP option {name}, which is "):
        dhcp_option.line(name, value)


@pytest.mark.parametrize(
    "name", ["", "0", "255", "256", "026", "26 ", "mtu\n", "MTU", "option:mtu", "51", "53", "82", "125", "rapid-commit"]
)
def test_name_of_no_option_is_refused_with_all_names(name: str) -> None:
    """Also numbers that server and client use between them: lease time, message type, relay information."""
    with pytest.raises(ValueError, match=r"the names are T1, T2, all-subnets-local, .*, x-windows-fs, or a number"):
        dhcp_option.line(name, "1")


@given(name=st.sampled_from(sorted(dhcp_option.FORMS)) | st.integers(0, 300).map(str) | st.text(), value=st.text())
def test_whatever_is_asked_makes_one_line_or_an_error(name: str, value: str) -> None:
    """No text makes a second line, leaves its quotes, or starts a comment."""
    try:
        line = dhcp_option.line(name, value)
    except ValueError:
        return
    assert line.isprintable()
    assert len(line) < 1000
    assert line.count('"') in (0, 2)
    assert "#" not in line or line.endswith('"')
    assert "\\" not in line


def test_options_of_a_port_are_under_its_tag() -> None:
    """The host's line sets the tag, the options' lines need it; they stand after the subnet's, and so win."""
    hosts = [host("web", DhcpOption("mtu", "1400"), DhcpOption("66", "boot")), host("db", port=OTHER)]
    assert dnsmasq.host_file(hosts, [SUBNET]) == (f"{MAC},set:port-{PORT},web,192.168.50.9\n{MAC},db,192.168.50.9\n")
    assert dnsmasq.options_file([SUBNET], hosts).splitlines() == [
        "tag:subnet-s1,option:router,192.168.50.1",
        f'tag:port-{PORT},66,"boot"',
        f"tag:port-{PORT},option:mtu,1400",
    ]


def test_option_that_is_none_is_left_out_of_the_file() -> None:
    """A view of another version may hold one: the others, and the port's lease, stay."""
    hosts = [host("web", DhcpOption("mtu", "1400"), DhcpOption("no-such", "x\ndhcp-script=/x"))]
    assert dnsmasq.options_file([SUBNET], hosts).splitlines()[1:] == [f"tag:port-{PORT},option:mtu,1400"]


def test_port_of_two_addresses_has_its_options_once() -> None:
    """Two hosts of one port (its addresses have names of their own) share one tag and one line."""
    hosts = [host(name, DhcpOption("mtu", "1400")) for name in ("a", "b")]
    assert dnsmasq.options_file([SUBNET], hosts).count("option:mtu") == 1


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ((), "option:dns-server,192.168.50.2,192.168.50.3"),
        (("9.9.9.9",), "option:dns-server,9.9.9.9"),
        (("0.0.0.0",), "option:dns-server"),
    ],
)
def test_dns_servers_of_a_network_with_two(servers: tuple[str, ...], expected: str) -> None:
    """Both servers of the subnet answer for its names; the subnet's own DNS servers, or none at all, go before."""
    subnet = msgspec.structs.replace(SUBNET, dns_nameservers=servers)
    answering = [FixedIp(SUBNET.id, "192.168.50.3"), FixedIp(SUBNET.id, "192.168.50.2")]
    answering.append(FixedIp(SubnetId("s2"), "10.0.0.2"))
    text = dnsmasq.options_file([subnet], (), answering)
    assert text.splitlines()[0] == f"tag:subnet-s1,{expected}"


def test_names_file_has_each_name_with_and_without_the_domain() -> None:
    """hosts(5): the first name of a line is the one of the way back; what is no label is not there."""
    hosts = [host(), host("a b"), host("x\n127.0.0.1 y"), host("")]
    assert dnsmasq.names_file(hosts, "openstacklocal") == "192.168.50.9 web.openstacklocal web\n"
    assert dnsmasq.names_file([host()], "") == "192.168.50.9 web\n"
