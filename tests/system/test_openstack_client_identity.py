"""The unmodified ``openstack`` client and openstacksdk against a running controller: identity."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openstack_cloud import PASSWORD, Controller

pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    made = Controller(tmp_path_factory.mktemp("identity"))
    yield made
    made.stop()


@pytest.fixture
def sdk(controller: Controller) -> Iterator[Any]:
    import openstack

    connection = openstack.connect(
        load_yaml_config=False,
        load_envvars=False,
        auth_url=f"{controller.url}/identity",
        username="admin",
        password=PASSWORD,
        project_name="admin",
        user_domain_name="Default",
        project_domain_name="Default",
        identity_api_version="3",
        region_name="RegionOne",
    )
    yield connection
    connection.close()


def test_the_lecture_in_the_client(controller: Controller) -> None:
    """Project, user, role, assignment with names, disabling: typed as in the lecture."""
    answers = controller.openstack(
        "token issue -f json",
        "catalog list -f json",
        "project create --description lecture --tag red nebula_project -f json",
        "user create --project nebula_project --password pw1 --email a@example.org nebula_user -f json",
        "role create observer -f json",
        "role add --user nebula_user --project nebula_project member",
        "role assignment list --names --user nebula_user -f json",
        "role assignment list --names --effective --user nebula_user --project nebula_project -f json",
        "user set --disable nebula_user",
        "user show nebula_user -f json",
        "project set --tag blue nebula_project",
        "project show nebula_project -f json",
        "group create students -f json",
        "group add user students nebula_user",
        "user list --group students -f json",
        "endpoint list --service network --interface public -f json",
        "implied role list -f json",
    )
    token, catalogue, project, user, role, given, effective, shown, tagged, group, members, endpoints, implied = answers
    assert token["project_id"]
    assert {entry["Type"] for entry in catalogue} == {"identity", "network", "compute", "image"}
    assert (project["name"], project["domain_id"], project["enabled"]) == ("nebula_project", "default", True)
    assert (user["name"], user["email"], user["enabled"]) == ("nebula_user", "a@example.org", True)
    assert role["name"] == "observer"
    assert given == [
        {
            "Role": "member",
            "User": "nebula_user@Default",
            "Group": "",
            "Project": "nebula_project@Default",
            "Domain": "",
            "System": "",
            "Inherited": False,
        }
    ]
    assert sorted(row["Role"] for row in effective) == ["member", "reader"]
    assert shown["enabled"] is False
    assert tagged["tags"] == ["blue", "red"]
    assert group["name"] == "students"
    assert [row["Name"] for row in members] == ["nebula_user"]
    assert [row["URL"] for row in endpoints] == [f"{controller.url}/network"]
    assert len(implied) == 2


def test_a_user_of_its_own(controller: Controller, sdk: Any) -> None:
    """A member logs in, sees its projects, changes its password, and is refused what it may not do."""
    project = sdk.identity.create_project(name="own", domain_id="default")
    user = sdk.identity.create_user(name="owner", domain_id="default", password="pw1")
    sdk.identity.assign_project_role_to_user(project, user, sdk.identity.find_role("member"))
    me = {"USERNAME": "owner", "PROJECT_NAME": "own"}
    projects = controller.openstack(
        "project list -f json", "user password set --original-password pw1 --password pw2", PASSWORD="pw1", **me
    )[0]
    assert [project["Name"] for project in projects] == ["own"]
    refused = controller.complaints("user list", "project create x", PASSWORD="pw2", **me)
    assert len(refused) == 2
    assert all("403" in line for line in refused)
    assert "401" in controller.complaints("token issue", PASSWORD="pw1", **me)[0]


def test_credentials_of_programs(controller: Controller) -> None:
    """Application credentials and EC2 key pairs: made, shown, used to log in without a password, deleted."""
    made, listed, pair, pairs = controller.openstack(
        "application credential create robot --role reader --expiration 2099-01-01T00:00:00 --description x -f json",
        "application credential list -f json",
        "ec2 credentials create -f json",
        "ec2 credentials list -f json",
    )
    made = {title.lower(): value for title, value in made.items()}
    assert (made["name"], made["unrestricted"], made["description"]) == ("robot", False, "x")
    assert [row["Name"] for row in listed] == ["robot"]
    assert [row["Access"] for row in pairs] == [pair["access"]]
    environment = {
        "AUTH_URL": f"{controller.url}/identity",
        "AUTH_TYPE": "v3applicationcredential",
        "APPLICATION_CREDENTIAL_ID": str(made["id"]),
        "APPLICATION_CREDENTIAL_SECRET": str(made["secret"]),
    }
    blank = dict.fromkeys(["USERNAME", "PASSWORD", "PROJECT_NAME", "USER_DOMAIN_NAME", "PROJECT_DOMAIN_NAME"], "")
    used = controller.openstack("token issue -f json", "project list --my-projects -f json", **{**blank, **environment})
    assert used[0]["project_id"]
    assert [project["Name"] for project in used[1]] == ["admin"]
    refused = controller.complaints("project create x", **{**blank, **environment})
    assert "403" in refused[0]
    left = controller.openstack(
        "application credential delete robot",
        f"ec2 credentials delete {pair['access']}",
        "ec2 credentials list -f json",
    )
    assert left == [[]]


def test_limits_and_policies(controller: Controller, tmp_path: Path) -> None:
    """Registered limits, a project's limit and a stored policy, by the client's commands."""
    text = tmp_path / "policy.json"
    text.write_text("{}")
    registered, limit, listed, policy, policies = controller.openstack(
        "registered limit create --service nova --default-limit 10 cores -f json",
        "limit create --service nova --project admin --resource-limit 5 cores -f json",
        "limit list -f json",
        f"policy create --type application/json {text} -f json",
        "policy list -f json",
    )
    assert (registered["resource_name"], registered["default_limit"]) == ("cores", 10)
    assert (limit["resource_limit"], limit["service_id"]) == (5, registered["service_id"])
    assert [row["ID"] for row in listed] == [limit["id"]]
    assert [row["ID"] for row in policies] == [policy["id"]]
    refused = controller.complaints(f"registered limit delete {registered['id']}")
    assert "registered limit" in refused[0]
    left = controller.openstack(
        f"limit set --resource-limit 6 {limit['id']}",
        f"limit delete {limit['id']}",
        f"registered limit delete {registered['id']}",
        f"policy delete {policy['id']}",
        "registered limit list -f json",
    )
    assert left[-1] == []


def test_immutable_and_inherited(controller: Controller) -> None:
    """The client's options for locks, inheritance, trees and domains."""
    made = controller.openstack(
        "domain create --immutable hall -f json",
        "project create --domain hall top -f json",
        "project create --domain hall --parent top low -f json",
        "user create --domain hall --password pw warden -f json",
        "role add --user warden --user-domain hall --domain hall --inherited member",
        "role assignment list --names --user warden --user-domain hall -f json",
        "role assignment list --names --effective --user warden --user-domain hall -f json",
        "project show --domain hall --children top -f json",
        "role create --immutable watcher -f json",
        "role set --no-immutable watcher",
        "role delete watcher",
    )
    domain, _top, low, _user, given, effective, family, role = made
    assert domain["options"] == {"immutable": True}
    assert [(row["Role"], row["Domain"], row["Inherited"]) for row in given] == [("member", "hall", True)]
    assert sorted((row["Role"], row["Project"]) for row in effective) == [
        ("member", "low@hall"),
        ("member", "top@hall"),
        ("reader", "low@hall"),
        ("reader", "top@hall"),
    ]
    assert family["subtree"] == {low["id"]: None}
    assert role["name"] == "watcher"
    refused = controller.complaints("domain set --description x hall", "role delete reader")
    assert sum("immutable" in line for line in refused) == 2, refused


def test_sdk_objects(sdk: Any) -> None:
    """openstacksdk's identity proxy makes, finds, changes and deletes every kind; conflicts and gaps are its errors."""
    from openstack import exceptions

    identity = sdk.identity
    domain = identity.create_domain(name="sdk")
    project = identity.create_project(name="sdk", domain_id=domain.id)
    user = identity.create_user(name="sdk", domain_id=domain.id, password="pw")
    group = identity.create_group(name="sdk", domain_id=domain.id)
    role = identity.find_role("member")
    identity.add_user_to_group(user, group)
    identity.assign_project_role_to_user(project, user, role)
    identity.assign_project_role_to_group(project, group, role)
    assert identity.validate_user_has_project_role(project, user, role)
    assert [r.name for r in identity.role_assignments_filter(project=project, user=user)] == ["member"]
    assert identity.check_user_in_group(user, group)
    with pytest.raises(exceptions.ConflictException):
        identity.create_user(name="sdk", domain_id=domain.id)
    with pytest.raises(exceptions.NotFoundException):
        identity.get_user("none")
    with pytest.raises(exceptions.ForbiddenException):
        identity.delete_domain(domain, ignore_missing=False)
    assert identity.find_project("none") is None
    assert identity.update_user(user, description="d").description == "d"
    identity.unassign_project_role_from_user(project, user, role)
    assert not identity.validate_user_has_project_role(project, user, role)
    identity.update_domain(domain, is_enabled=False)
    identity.delete_domain(domain, ignore_missing=False)
    assert identity.find_user("sdk", domain_id=domain.id) is None


def test_sdk_cloud_layer(sdk: Any) -> None:
    """The cloud layer, which Ansible uses: users, projects, grants, and the catalogue."""
    project = sdk.create_project("cloud-layer", domain_id="default", description="x")
    user = sdk.create_user("cloud-layer", password="pw", domain_id="default", default_project="cloud-layer")
    assert sdk.grant_role("reader", user="cloud-layer", project="cloud-layer")
    assert not sdk.grant_role("reader", user="cloud-layer", project="cloud-layer")
    found = sdk.list_role_assignments(filters={"user": user.id})
    assert [assignment.scope["project"]["id"] for assignment in found] == [project.id]
    assert sdk.endpoint_for("network").endswith("/network")
    assert sdk.revoke_role("reader", user="cloud-layer", project="cloud-layer")
    assert sdk.delete_user("cloud-layer")
    assert sdk.delete_project("cloud-layer")


def test_nothing_secret_is_logged(controller: Controller, sdk: Any) -> None:
    """After all that, neither a password nor a token stands in the log."""
    token = sdk.auth_token
    log = controller.log.read_text()
    assert "path=/identity/v3/auth/tokens" in log
    for secret in (PASSWORD, token, "gAAAA", "pw1", "pw2"):
        assert secret not in log
