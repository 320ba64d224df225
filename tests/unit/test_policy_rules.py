"""The language of the rules, what follows from the declarations, and the policy file."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nebula_controller.api.authority import Authority
from nebula_controller.api.context import Caller
from nebula_controller.api.policy import BadRule, Policy, build, parse
from nebula_controller.api.policyfile import read

from nebula.errors import ConfigError
from nebula.model.network import NETWORK
from nebula.model.port import PORT

ALICE = Caller(user_id="alice", project_id="p", roles=frozenset({"member", "reader"}))
OWN, FOREIGN = {"project_id": "p", "user_id": "alice"}, {"project_id": "q", "user_id": "bob"}


@pytest.mark.parametrize(
    ("text", "own", "foreign"),
    [
        ("", True, True),
        ("@", True, True),
        ("!", False, False),
        ("role:member", True, True),
        ("role:MEMBER", True, True),
        ("role:admin", False, False),
        ("not role:admin", True, True),
        ("project_id:%(project_id)s", True, False),
        ("tenant_id:%(tenant_id)s", True, False),
        ("user_id:%(user_id)s", True, False),
        ("user_id:alice", True, True),
        ("system_scope:all", False, False),
        ("project_id:%(nothing)s", False, False),
        ("field:networks:project_id=q", False, True),
        ("field:networks:project_id=~^[qr]$", False, True),
        ("role:admin or role:member and project_id:%(project_id)s", True, False),
        ("(role:admin or role:member) and project_id:%(project_id)s", True, False),
        ("not (role:admin or project_id:%(project_id)s)", False, True),
        ("role:member AND NOT role:admin", True, True),
        ("rule:inner", True, False),
    ],
)
def test_what_a_rule_allows(text: str, own: bool, foreign: bool) -> None:
    """A member of project p, on an object of its own and on another project's."""
    policy = Policy({"rule": text, "inner": "project_id:%(project_id)s"})
    assert (policy.allows(ALICE, "rule", OWN), policy.allows(ALICE, "rule", FOREIGN)) == (own, foreign)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("role", "'role' is no check"),
        ("role:", "no check"),
        ("role:admin or", "still to come"),
        ("or role:admin", "'or' is no check"),
        ("(role:admin", r"a '\)' is missing"),
        ("role:admin)", r"'\)' is not expected"),
        ("role:admin role:member", "'role:member' is not expected"),
        ("colour:red", "'colour' is not known"),
        ("project_id:%project_id", "text without %"),
        ("field:networks", "KIND:KEY=VALUE"),
        ("field:networks:name=~[", "not a regular expression"),
        ("rule:missing", "there is no rule 'missing'"),
        ("rule:wrong", "leads back to itself"),
    ],
)
def test_a_wrong_rule_is_named(text: str, words: str) -> None:
    """With what is wrong about it."""
    with pytest.raises(BadRule, match=f"^wrong: .*{words}"):
        Policy({"wrong": text})


@settings(max_examples=200)
@given(st.text(alphabet="()@! %:rolenotandsfid=~'", max_size=40))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    """Never another exception."""
    with contextlib.suppress(BadRule):
        parse(text)


def test_without_a_rule_only_administrators() -> None:
    """What nobody has thought of is not open."""
    admin = Caller(user_id="root", project_id="q", roles=frozenset({"admin"}))
    policy = Policy({})
    assert [policy.allows(caller, "unheard_of", {}) for caller in (admin, ALICE, None)] == [True, False, False]


def test_scope() -> None:
    """As in Neutron, a token for the system or a domain does nothing on a project's API, whatever its roles."""
    policy = Policy({"get_network": "@", "identity:get_user": "@"})
    roles = frozenset({"admin", "member", "reader"})
    callers = [Caller(user_id="u", system_scope=True, roles=roles), Caller(user_id="u", domain_id="d", roles=roles)]
    assert [policy.allows(caller, "get_network", {}) for caller in callers] == [False, False]
    assert [policy.allows(caller, "identity:get_user", {}) for caller in callers] == [True, True]


def test_rules_follow_from_the_declaration() -> None:
    """Each attribute has the rule that it declares."""
    network, port = Authority(NETWORK, "network", {}).rules, Authority(PORT, "port", {}).rules
    assert network["create_network"] == "rule:admin_or_project_member"
    assert network["create_network:shared"] == network["get_network:provider:network_type"] == "rule:admin_only"
    assert network["update_network:mtu"] == "@"
    assert "update_network:provider:network_type" not in network  # nobody can
    assert port["create_port:mac_address"] == "rule:admin_or_net_owner_member"
    assert port["update_port:mac_address"] == "rule:admin_only"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("just words", "shall hold lines like"),
        ("a: [1]\n", "line 1: a: a rule is text"),
        ('"x": "@"\n"x": "!"\n', "line 2: x stands there twice"),
        ("a: 'x", "is not YAML"),
        ('{"colour_network": "@"}', "there is no rule colour_network"),
        ("create_network: role:admin and", "create_network: it ends"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    """With the rule, or the line."""
    file = tmp_path / "policy.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=words) as caught:
        build({"create_network": "@"}, str(file), read(file))
    assert str(file) in caught.value.message


def test_a_file_changes_single_rules(tmp_path: Path) -> None:
    """In oslo.policy's form: YAML, with comments; what it does not name stays."""
    file = tmp_path / "policy.yaml"
    file.write_text('# only teachers\n"create_network": "role:teacher"\n')
    policy = build({"create_network": "@", "get_network": "@"}, str(file), read(file))
    assert policy.texts == {"create_network": "role:teacher", "get_network": "@"}
    assert policy.changed == {"create_network": "role:teacher"}


def test_no_file(tmp_path: Path) -> None:
    """It is named, with the reason."""
    with pytest.raises(ConfigError, match=r"nowhere.*No such file"):
        read(tmp_path / "nowhere")
