"""Options and columns of nebulactl that follow from the declarations of resources."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from cli_case_study import AGENT_ID, FLOATING_ID, NETWORK_ID, PORT_ID, PUBLIC_ID, ROUTER_ID
from cli_cloud import PROJECT_ID, Cloud, Nebulactl
from nebulactl import declared, plain_settings
from nebulactl.api import IDENTITY
from nebulactl.nouns import Noun

from nebula.model import accept
from nebula.model.attribute import describe
from nebula.model.standard import EXPANDED, Standard, fixed, flag, reference, settable

SECOND = "22222222222222222222222222222222"
QOS_ID = "9a000000-0000-4000-8000-000000000009"
RULE_ID = "9b000000-0000-4000-8000-000000000009"
POOL_ID = "9c000000-0000-4000-8000-000000000009"

SENT: list[tuple[str, str, str, Any]] = [
    (
        "network create n --qos-policy gold --availability-zone-hint nova --dns-domain a.org.",
        "POST",
        "/networks",
        {
            "network": {
                "name": "n",
                "qos_policy_id": QOS_ID,
                "availability_zone_hints": ["nova"],
                "dns_domain": "a.org.",
            }
        },
    ),
    (
        "network set nebula_net --no-qos-policy",
        "PUT",
        f"/networks/{NETWORK_ID}",
        {"network": {"qos_policy_id": None}},
    ),
    ("network unset nebula_net --tag blue", "PUT", f"/networks/{NETWORK_ID}/tags", {"tags": ["a"]}),
    ("network unset nebula_net --all-tag", "PUT", f"/networks/{NETWORK_ID}/tags", {"tags": []}),
    (
        "network create n --project second --project-domain Default",
        "POST",
        "/networks",
        {"network": {"name": "n", "project_id": SECOND}},
    ),
    (
        "network create n --extra-property type=int,name=x,value=7 --extra-property name=y,value=z "
        "--extra-property type=list,name=l,value=a;b --extra-property type=bool,name=b,value=true",
        "POST",
        "/networks",
        {"network": {"name": "n", "x": 7, "y": "z", "l": ["a", "b"], "b": True}},
    ),
    (
        "port create p --network nebula_net --extra-dhcp-option name=mtu,value=1400 --dns-name w "
        '--binding-profile a=b --binding-profile {"c":1}',
        "POST",
        "/ports",
        {
            "port": {
                "name": "p",
                "network_id": NETWORK_ID,
                "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400"}],
                "dns_name": "w",
                "binding:profile": {"a": "b", "c": 1},
            }
        },
    ),
    (
        "port set web0 --no-binding-profile --extra-dhcp-option name=mtu,ip-version=4",
        "PUT",
        f"/ports/{PORT_ID}",
        {
            "port": {
                "binding:profile": {},
                "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": None, "ip_version": 4}],
            }
        },
    ),
    (
        "port unset web0 --extra-property name=dns_name",
        "PUT",
        f"/ports/{PORT_ID}",
        {"port": {"dns_name": None}},
    ),
    (
        "floating ip unset 203.0.113.5 --extra-property type=str,name=description,value=x",
        "PUT",
        f"/floatingips/{FLOATING_ID}",
        {"floatingip": {"description": None}},
    ),
    (
        "network set nebula_net --extra-property name=description,value=",
        "PUT",
        f"/networks/{NETWORK_ID}",
        {"network": {"description": ""}},
    ),
    (
        "network qos rule create gold --type dscp-marking --dscp-mark 46 --extra-property type=int,name=x,value=7",
        "POST",
        f"/qos/policies/{QOS_ID}/dscp_marking_rules",
        {"dscp_marking_rule": {"dscp_mark": 46, "x": 7}},
    ),
    (
        f"network qos rule set gold {RULE_ID} --extra-property type=int,name=x,value=7",
        "PUT",
        f"/qos/policies/{QOS_ID}/dscp_marking_rules/{RULE_ID}",
        {"dscp_marking_rule": {"x": 7}},
    ),
    ("router set nebula_router --ha", "PUT", f"/routers/{ROUTER_ID}", {"router": {"ha": True}}),
    (
        "router set nebula_router --centralized",
        "PUT",
        f"/routers/{ROUTER_ID}",
        {"router": {"distributed": False}},
    ),
    (
        "floating ip create public --router nebula_router",
        "POST",
        "/floatingips",
        {"floatingip": {"floating_network_id": PUBLIC_ID, "router_id": ROUTER_ID}},
    ),
    (
        "network onboard subnet campus nebula_net",
        "PUT",
        f"/subnetpools/{POOL_ID}/onboard_network_subnets",
        {"network_id": NETWORK_ID},
    ),
    (
        "quota set --networks 3",
        "PUT",
        f"/quotas/{PROJECT_ID}",
        {"quota": {"network": 3, "check_limit": True}},
    ),
    ("quota set --force --ports 3 second", "PUT", f"/quotas/{SECOND}", {"quota": {"port": 3, "force": True}}),
    ("port unset web0 --qos-policy", "PUT", f"/ports/{PORT_ID}", {"port": {"qos_policy_id": None}}),
    (
        "router set nebula_router --qos-policy gold",
        "PUT",
        f"/routers/{ROUTER_ID}",
        {"router": {"external_gateway_info": {"network_id": PUBLIC_ID, "qos_policy_id": QOS_ID}}},
    ),
    (
        "router unset nebula_router --qos-policy",
        "PUT",
        f"/routers/{ROUTER_ID}",
        {"router": {"external_gateway_info": {"network_id": PUBLIC_ID, "qos_policy_id": None}}},
    ),
    (
        "subnet create s --network nebula_net --subnet-range 2001:db8::/64 --ipv6-ra-mode slaac "
        "--ipv6-address-mode slaac --service-type network:distributed --no-dns-publish-fixed-ip",
        "POST",
        "/subnets",
        {
            "subnet": {
                "name": "s",
                "network_id": NETWORK_ID,
                "cidr": "2001:db8::/64",
                "ip_version": 6,
                "ipv6_ra_mode": "slaac",
                "ipv6_address_mode": "slaac",
                "service_types": ["network:distributed"],
                "dns_publish_fixed_ip": False,
            }
        },
    ),
]


@pytest.mark.parametrize(("line", "method", "path", "body"), SENT, ids=[row[0][:50] for row in SENT])
def test_options_become_attributes(
    *, line: str, method: str, path: str, body: Any, nebulactl: Nebulactl, cloud: Cloud
) -> None:
    """What an option says is sent under the API's name, ids for names, and nothing else."""
    cloud.add("policies", id=QOS_ID, name="gold", rules=[{"id": RULE_ID, "type": "dscp_marking"}])
    cloud.add("domains", id="default", name="Default")
    cloud.add("subnetpools", id=POOL_ID, name="campus")
    cloud.add("quotas", id=PROJECT_ID)
    ended = nebulactl(*line.split())
    assert (ended.code, cloud.sent(method)) == (0, [(f"/network/v2.0{path}", body)]), ended.err


@pytest.mark.parametrize(
    "line",
    [
        "network create n --extra-property type=int,name=x,value=seven",
        "network create n --extra-property type=date,name=x,value=7",
        "network create n --extra-property name=x",
        f"network qos rule set gold {RULE_ID}",
        "network qos rule type list --all-rules --all-supported",
        "quota set --force",
        "port create p --network nebula_net --binding-profile a",
        'port create p --network nebula_net --binding-profile {"a"',
        "router create r --qos-policy gold",
        "network list --limit -1",
    ],
)
def test_what_makes_no_sense_is_refused(line: str, nebulactl: Nebulactl, cloud: Cloud) -> None:
    """Called wrongly is 2, and nothing is sent."""
    cloud.add("policies", id=QOS_ID, name="gold")
    ended = nebulactl(*line.split())
    assert (ended.code, cloud.sent("POST"), cloud.sent("PUT")) == (2, [], []), ended.err


def test_parts_of_lists(nebulactl: Nebulactl, cloud: Cloud) -> None:
    """--limit is the size of a page, --max-items what is printed in all, --marker where it begins."""
    for number in range(5):
        cloud.add("networks", name=f"n{number}", subnets=[])
    cloud.page_size = 3
    ended = nebulactl("network", "list", "-f", "value", "-c", "Name", "--limit", "3", "--max-items", "4")
    assert ended.out.split() == ["nebula_net", "public", "n0", "n1"]
    cloud.page_size = 0
    ended = nebulactl("network", "list", "--any-tags", "a", "--not-tags", "b", "--marker", NETWORK_ID)
    assert ended.code == 0
    assert cloud.sent("GET")[-1][0].partition("?")[2] == f"tags-any=a&not-tags=b&marker={NETWORK_ID}"


def test_of_an_agent(nebulactl: Nebulactl, cloud: Cloud) -> None:
    """Networks and routers of an agent are asked of the agent."""
    for noun, below in (("network", "dhcp-networks"), ("router", "l3-routers")):
        nebulactl(noun, "list", "--agent", AGENT_ID)
        assert cloud.sent("GET")[-1][0] == f"/network/v2.0/agents/{AGENT_ID}/{below}"


class Widget(Standard, frozen=True, kw_only=True):
    """What nobody has: a declaration alone."""

    network_id: Annotated[str, reference("network:NETWORK", post=True, required=True, about="Where it is.")]
    mac_address: Annotated[str, settable(accept.mac_address, "Its address.", length=17)] = ""
    is_shiny: Annotated[bool, flag("Whether it shines.", title="Shine", flag="--shiny/--dull")] = False
    weight: Annotated[int, fixed(accept.integer(0, 9), "In grams.")] = 0
    colours: Annotated[tuple[str, ...], settable(accept.tags, "A colour.")] = ()
    hidden: Annotated[int, settable(accept.integer(0, 9), sent=False)] = 0
    made_of: Annotated[str, EXPANDED] = ""


WIDGET = describe(Widget, "widget", "widgets", listed="id name", listed_long="id network_id mac_address is_shiny")


def test_a_declaration_says_what_people_see_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """``shown`` is the fields in its order, of which one may be beside the attributes; identity has no extra ones."""
    widget = describe(Widget, "widget", "widgets", listed="id shop_name", shown="weight id shop_name colours")
    monkeypatch.setattr(declared, "resource", lambda _name: widget)
    noun = Noun(name="widget", path="/widgets", of_service=IDENTITY, declared="w:W", renamed={"weight": "grams"})
    assert [column.title for column in noun.columns] == ["ID", "Shop Name"]
    assert [column.title for column in noun.fields] == ["grams", "id", "shop_name", "colours"]
    assert {"--name", "--colour"} < {setting.flag for setting in plain_settings.of_set(noun)}
    assert not {"--tag", "--extra-property"} & {setting.flag for setting in plain_settings.of_create(noun)}


def test_a_declaration_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns, fields and options of a resource that nebulactl knows nothing of but its declaration."""
    monkeypatch.setattr(declared, "resource", lambda _name: WIDGET)
    noun = Noun(name="widget", path="/widgets", of_service="network", declared="widget:WIDGET")
    assert [column.title for column in noun.columns] == ["ID", "Name"]
    assert [column.title for column in noun.columns_long] == ["ID", "Network", "MAC Address", "Shine"]
    assert "hidden" not in [column.title for column in noun.fields]
    assert {"colours", "mac_address", "made_of", "weight"} < {column.title for column in noun.fields}
    create = {setting.flag: setting.attribute for setting in plain_settings.of_create(noun)}
    assert create | {"--extra-property": ""} == create
    assert {flag for flag in create if flag != "--extra-property"} == {
        *("--project", "--description", "--tag", "--network", "--mac-address", "--shiny/--dull", "--weight"),
        *("--colour", "--hidden"),
    }
    changed = {setting.flag: setting.clear for setting in plain_settings.of_set(noun)}
    assert "--weight" not in changed
    assert (changed["--colour"], changed["--mac-address"]) == ("--no-colour", "")
