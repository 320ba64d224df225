"""nebulactl's commands against a small cloud over HTTP: what they send, what they say, how they end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cli_case_study import NETWORK_ID, PUBLIC_ID
from cli_cloud import Cloud, Ended, Nebulactl
from nebula_lab.cloud import Credentials
from nebula_runtime.http import Client, Trust
from nebulactl.main import COMMANDS
from nebulactl.progress import Progress

from nebula.errors import NotFound


def test_role_add_names_user_project_and_role(nebulactl: Nebulactl, cloud: Cloud) -> None:
    """A grant is Keystone's PUT of the three ids."""
    cloud.failure = None
    nebulactl("role", "add", "--user", "student", "--project", "second", "member")
    assert [path for path, _body in cloud.sent("PUT")] == [
        "/identity/v3/projects/22222222222222222222222222222222/users/33333333333333333333333333333333"
        "/roles/44444444444444444444444444444444"
    ]


def test_a_list_follows_the_pages(nebulactl: Nebulactl, cloud: Cloud) -> None:
    """All pages of a long list are read, by the server's next links."""
    for number in range(5):
        cloud.add("networks", name=f"n{number}", subnets=[])
    cloud.page_size = 3
    names = nebulactl("network", "list", "-f", "value", "-c", "Name").out.split()
    assert names == ["nebula_net", "public", "n0", "n1", "n2", "n3", "n4"]


def test_a_name_that_several_bear_is_refused(nebulactl: Nebulactl, cloud: Cloud) -> None:
    """The message gives the ids to choose from; nothing is deleted."""
    cloud.add("networks", id="aaaaaaaa-0000-4000-8000-000000000000", name="public", subnets=[])
    ended = nebulactl("network", "delete", "public")
    assert (ended.code, cloud.sent("DELETE")) == (1, [])
    assert ended.err == (
        "nebulactl: 2 networks are called 'public'; give the id of the one: "
        f"{PUBLIC_ID}, aaaaaaaa-0000-4000-8000-000000000000.\n"
    )


def test_versions_of_the_services(nebulactl: Nebulactl, cloud: Cloud) -> None:
    """What each says of itself, in the client's words; of one that says nothing, that, and why."""
    ended = nebulactl("versions", "show", "-f", "value")
    assert (ended.code, ended.out.splitlines()) == (
        0,
        [
            f"r identity 3.14 CURRENT {cloud.url}/identity/v3/ None None",
            f"r network 2.0 CURRENT {cloud.url}/network/v2.0/ None None",
            f"r compute None CURRENT {cloud.url}/compute/v2.1/ None None",
        ],
    )
    assert ended.err.startswith(f"nebulactl: {cloud.url}/compute/v2.1: The request you have made requires")
    only = ("-f", "value", "-c", "Service Type")
    assert nebulactl("versions", "show", "--service", "network", "--status", "current", *only).out == "network\n"
    assert nebulactl("versions", "show", "--status", "deprecated", *only).out == ""
    assert nebulactl("versions", "show", "--interface", "admin", *only).out == ""
    assert len(nebulactl("versions", "show", "--all-interfaces", "--region-name", "r", *only).out.split()) == 3


def test_an_id_wins_over_a_name(nebulactl: Nebulactl, cloud: Cloud) -> None:
    """A network that is called like another's id is not mistaken for it."""
    cloud.add("networks", name=NETWORK_ID, subnets=[])
    assert nebulactl("network", "show", NETWORK_ID, "-f", "value", "-c", "name").out == "nebula_net\n"


def test_delete_goes_on_after_a_failure(nebulactl: Nebulactl, cloud: Cloud) -> None:
    """Of several, those that can go do go, each failure has its line, and the exit code is 1."""
    ended = nebulactl("network", "delete", "nope", "public")
    assert ended == Ended(
        1,
        "",
        "nebulactl: nope: No network has the name or id 'nope'.\nnebulactl: 1 of 2 networks could not be deleted.\n",
    )
    assert [path for path, _ in cloud.sent("DELETE")] == [f"/network/v2.0/networks/{PUBLIC_ID}"]


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (409, b'{"NeutronError": {"type": "NetworkInUse", "message": "It is in use.", "detail": ""}}', "It is in use."),
        (403, b'{"error": {"code": 403, "title": "Forbidden", "message": "You may not."}}', "You may not."),
        (400, b'{"badRequest": {"code": 400, "message": "Wrong node."}}', "Wrong node."),
        (404, b'{"NeutronError": "Gone."}', "Gone."),
        (502, b"<html>", "GET /networks: HTTP 502 (request req-0002)"),
        (200, b"no json", "The answer is not a JSON object (HTTP 200): "),
        (200, b"[]", "The answer is not a JSON object (HTTP 200): "),
    ],
)
def test_the_servers_words_are_the_message(
    status: int, body: bytes, message: str, nebulactl: Nebulactl, cloud: Cloud
) -> None:
    """Neutron's, Keystone's and Nova's errors, and answers that are none, end in one line and exit code 1."""
    cloud.failure = (status, body)
    ended = nebulactl("network", "list")
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert ended.err.startswith(f"nebulactl: {message}")


@pytest.mark.parametrize(
    "line",
    [
        "network create",
        "network create a --mtu big",
        "network list --long --nope",
        "network list -f xml",
        "network list -c Nope",
        "network set nebula_net",
        "subnet create s",
        "subnet create s --network nebula_net --allocation-pool 10.0.0.1-10.0.0.9",
        "subnet create s --network nebula_net --allocation-pool start=10.0.0.1",
        "subnet create s --network nebula_net --ip-version 5",
        "port create p",
        "port create p --network nebula_net --fixed-ip address=1",
        "router set nebula_router --disable-snat",
        "router add route nebula_router",
        "agent list --network nebula_net --router nebula_router",
        "agent list --network nebula_net --host h",
        "network qos rule create gold --type dscp-marking",
        "network qos rule create gold --type dscp-marking --dscp-mark 46 --max-kbps 5",
        "network qos rule create gold --type bandwidth-limit --max-kbps 5 --any",
        "limit create networks --project second --service neutron",
        "limit set 11111111111111111111111111111111",
        "implied role create member",
        "policy create no-such-file.json",
        "credential set 11111111111111111111111111111111 --colour red",
        "router frobnicate",
        "instance create web",
        "instance exec web --",
        "receipt",
        "receipt req-1 --last",
        "completion tcsh",
        "nothing",
    ],
)
def test_a_wrong_call_is_told_so(line: str, nebulactl: Nebulactl, cloud: Cloud) -> None:
    """Exit code 2, an explanation on stderr, and nothing is changed."""
    ended = nebulactl(*line.split())
    assert (ended.code, ended.out) == (2, "")
    assert "Error: " in ended.err
    assert cloud.sent("POST") + cloud.sent("PUT") == []


def test_without_credentials_it_says_what_to_do(nebulactl: Nebulactl, monkeypatch: pytest.MonkeyPatch) -> None:
    """No OS_AUTH_URL and no lab: the line names both ways out."""
    monkeypatch.delenv("OS_AUTH_URL")
    monkeypatch.setenv("NEBULA_LAB", "no-such-lab")
    ended = nebulactl("network", "list")
    assert ended.code == 1
    assert "no lab 'no-such-lab' is up. Start one with 'nebulactl lab up', or set OS_AUTH_URL" in ended.err


def test_incomplete_credentials_are_named(nebulactl: Nebulactl, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing is said by its variable's name."""
    monkeypatch.delenv("OS_PASSWORD")
    assert "lack OS_PASSWORD" in nebulactl("network", "list").err


def test_nobody_at_the_address(nebulactl: Nebulactl) -> None:
    """A refused connection is one line with the address."""
    ended = nebulactl("--os-auth-url", "http://127.0.0.1:9/identity/v3", "network", "list")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "http://127.0.0.1:9 does not answer: Connection refused" in ended.err


def test_a_token_is_used_again(nebulactl: Nebulactl, cloud: Cloud, tmp_path: Path) -> None:
    """The second call does not log in; the token's file is the user's alone and does not hold the password."""
    nebulactl("network", "list")
    nebulactl("subnet", "list")
    (file,) = (tmp_path / "nebula").glob("token-*")
    assert (cloud.logins, file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (1, 0o600, 0o700)
    assert cloud.password not in file.read_text()


def test_a_refused_token_is_replaced_once(nebulactl: Nebulactl, cloud: Cloud) -> None:
    """A remembered token that the server no longer knows costs a login, not an error."""
    nebulactl("network", "list")
    cloud.tokens.clear()
    assert (nebulactl("network", "list").code, cloud.logins) == (0, 2)


def test_a_wrong_password_is_refused_though_a_token_is_remembered(nebulactl: Nebulactl, cloud: Cloud) -> None:
    """The cache does not open the door to who does not know the password."""
    nebulactl("network", "list")
    ended = nebulactl("--os-password", "wrong", "network", "list")
    assert (ended.code, ended.out) == (1, "")
    assert "refuses user 'admin'" in ended.err


def test_a_damaged_cache_is_no_error(nebulactl: Nebulactl, cloud: Cloud, tmp_path: Path) -> None:
    """Garbage in the cache, or a cache folder that cannot be made, costs a login only."""
    nebulactl("network", "list")
    (file,) = (tmp_path / "nebula").glob("token-*")
    file.write_bytes(b"\xff{")
    assert nebulactl("network", "list").code == 0
    file.unlink()
    file.parent.rmdir()
    (tmp_path / "nebula").write_text("in the way")
    assert (nebulactl("network", "list").code, cloud.logins) == (0, 3)


def test_warnings_are_printed(nebulactl: Nebulactl, cloud: Cloud) -> None:
    """What the API warns of goes to stderr, after a change and whenever the resource is shown."""
    cloud.add("ports", name="wide", network_id=NETWORK_ID, fixed_ips=[], warnings=["it may send as anybody"])
    for argv in (("show", "wide", "-f", "value", "-c", "name"), ("set", "wide", "--disable")):
        assert nebulactl("port", *argv).err == "nebulactl: warning: it may send as anybody\n"


def test_request_ids_are_printed_when_asked(nebulactl: Nebulactl) -> None:
    """-v prints the id of each changing call to stderr, and stdout stays for scripts."""
    ended = nebulactl("network", "create", "x", "-v", "-f", "value", "-c", "name")
    assert (ended.out, ended.err) == ("x\n", "Request ID: req-0002\n")
    assert nebulactl("-v", "network", "delete", "x").err == "Request ID: req-0004\n"


RECEIPT = {
    "request": {"id": "req-0002", "method": "POST", "path": "/v2.0/ports", "status": 201, "time": "T", "revision": 7},
    "receipts": [
        {
            "host": "compute1",
            "changes": [
                {
                    "action": "add",
                    "kind": "namespace",
                    "name": "qdhcp-1",
                    "owner": {"kind": "network", "id": "1"},
                    "command": "ip netns add qdhcp-1",
                    "result": "done",
                    "at_s": 0.0123,
                    "error": "",
                }
            ],
        }
    ],
}


def test_the_receipt_of_the_last_change(nebulactl: Nebulactl, cloud: Cloud) -> None:
    """The last changing call is remembered; its receipt is a row per change with the command, or the whole document."""
    cloud.receipts["req-0002"] = RECEIPT
    assert "No changing call is remembered" in nebulactl("receipt", "--last").err
    nebulactl("network", "create", "x")
    nebulactl("network", "list")
    assert nebulactl("receipt", "--last").out.splitlines() == [
        "POST /v2.0/ports: 201 at T, revision 7, req-0002",
        "+----------+--------+-----------+--------+----------------------+",
        "| Node     | Action | Kind      | Result | Command              |",
        "+----------+--------+-----------+--------+----------------------+",
        "| compute1 | add    | namespace | done   | ip netns add qdhcp-1 |",
        "+----------+--------+-----------+--------+----------------------+",
    ]
    assert json.loads(nebulactl("receipt", "req-0002", "-f", "json").out) == RECEIPT
    assert nebulactl("receipt", "req-0002", "-f", "value", "-c", "Command").out == "ip netns add qdhcp-1\n"
    assert nebulactl("receipt", "req-9999").err == "nebulactl: No request req-9999.\n"


def test_instance_create_waits_for_active(nebulactl: Nebulactl, cloud: Cloud) -> None:
    """The instance is printed when it is ACTIVE, with its addresses."""
    addresses = {"nebula_net": [{"addr": "192.168.50.10", "version": 4}]}
    answers = iter(["BUILD", "BUILD", "ACTIVE"])
    answer = cloud.answer

    def building(method: str, target: str, headers: Any, body: Any) -> Any:
        status, extra, content = answer(method, target, headers, body)
        if method == "GET" and "/servers/" in target:
            content["server"] |= {"status": next(answers), "addresses": addresses}
        return status, extra, content

    cloud.answer = building  # type: ignore[method-assign]
    ended = nebulactl("instance", "create", "web", "--network", "nebula_net", "-c", "status", "-c", "addresses")
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[3:5] == [
        "| addresses | nebula_net=192.168.50.10 |",
        "| status    | ACTIVE                   |",
    ]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ("ERROR", "nebulactl: Instance web is in ERROR: no node is up. 'nebulactl agent list' shows the nodes.\n"),
        (
            "BUILD",
            "nebulactl: Instance web is still BUILD after 0 s. It was not deleted; "
            "'nebulactl instance show web' and 'nebulactl agent list' show more.\n",
        ),
    ],
)
def test_instance_create_that_does_not_end_well(status: str, message: str, nebulactl: Nebulactl, cloud: Cloud) -> None:
    """ERROR and a wait that is over are errors that say where to look."""
    answer = cloud.answer

    def failing(method: str, target: str, headers: Any, body: Any) -> Any:
        code, extra, content = answer(method, target, headers, body)
        if method == "GET" and "/servers/" in target:
            content["server"] |= {"status": status, "fault": {"message": "no node is up"}}
        return code, extra, content

    cloud.answer = failing  # type: ignore[method-assign]
    ended = nebulactl("instance", "create", "web", "--network", "nebula_net", "--timeout", "0")
    assert (ended.code, ended.err) == (1, message)


def test_exec_on_another_machines_node_says_where_to_go(nebulactl: Nebulactl, cloud: Cloud) -> None:
    """An instance that cannot be reached from here: the node, and the command to type there."""
    server = cloud.add("servers", name="web", status="ACTIVE", **{"OS-EXT-SRV-ATTR:host": "far-away"})
    ended = nebulactl("instance", "exec", "web", "--", "ip", "-4", "address")
    assert ended.code == 1
    assert ended.err.endswith(f"On far-away: ip netns exec instance-{server['id']} ip -4 address\n")


class FakeLab:
    """What nebulactl uses of a lab."""

    name = "mine"
    nodes = ("compute1",)

    def __init__(self, cloud: Cloud) -> None:
        self.endpoint = cloud.url
        named = {name.removeprefix("OS_").lower(): value for name, value in cloud.environment.items()}
        self.credentials = Credentials(**named)

    def enter(self, place: str, argv: Sequence[str]) -> list[str]:
        if place not in self.nodes:
            raise NotFound(f"lab 'mine' has no node {place!r}")
        return ["enter", place, *argv]


@pytest.fixture
def lab(cloud: Cloud, nebulactl: Nebulactl, monkeypatch: pytest.MonkeyPatch) -> FakeLab:
    """A lab is up whose API is the cloud, and nobody has set OS_* variables."""
    for name in cloud.environment:
        monkeypatch.delenv(name)
    found = FakeLab(cloud)
    monkeypatch.setattr("nebula_lab.open_lab", lambda _name=None: found)
    monkeypatch.setattr("nebula_lab.find_lab", lambda _name=None: found)
    monkeypatch.setattr("nebula_lab.lab_names", lambda: ["mine"])
    return found


def test_an_audit_waits_as_long_as_it_is_told(
    nebulactl: Nebulactl, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten seconds by itself; who was silent is named with the time, and the answer is waited for longer than that."""
    patience: list[float] = []

    def client(origin: str, *, timeout_s: float, tls: Trust) -> Client:
        patience.append(timeout_s)
        return Client(origin, timeout_s=timeout_s, tls=tls)

    monkeypatch.setattr("nebulactl.api.Client", client)
    cloud.receipts["questions"] = {"answers": [], "silent": ["compute1"], "down": []}
    errors = [nebulactl("audit", *words).err for words in ((), ("--wait", "45.5"), ("--fix", "--wait", "2"))]
    asked = [(body["ask"], body["wait_s"]) for _path, body in cloud.sent("POST")]
    assert asked == [("audit", 10), ("audit", 45.5), ("fix", 2)]
    assert [error.split("within ")[1].split(";")[0] for error in errors] == ["10 s", "45.5 s", "2 s"]
    assert patience == [40, 75.5, 32]


@pytest.mark.usefixtures("lab")
def test_a_running_labs_credentials_are_used(nebulactl: Nebulactl, cloud: Cloud) -> None:
    """Without OS_* variables the lab's administrator calls; single flags still win."""
    assert nebulactl("network", "list").code == 0
    nebulactl("--os-project-name", "second", "network", "list")
    scopes = [body["auth"]["scope"]["project"]["name"] for _, path, body in cloud.requests if "/auth/" in path]
    assert scopes == ["admin", "second"]


@pytest.mark.usefixtures("lab")
def test_exec_goes_through_the_lab(nebulactl: Nebulactl, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process becomes the program, in the instance's namespace on its lab node; options are the program's."""
    became: list[list[str]] = []
    monkeypatch.setattr("os.execvp", lambda _file, argv: became.append(argv))
    server = cloud.add("servers", name="web", status="ACTIVE", **{"OS-EXT-SRV-ATTR:host": "compute1"})
    namespace = f"instance-{server['id']}"
    nebulactl("instance", "exec", "web", "--", "ping", "-c", "1", "192.0.2.1")
    nebulactl("instance", "exec", "web", "ls", "--help")
    nebulactl("instance", "shell", "web")
    inside = ["enter", "compute1", "ip", "netns", "exec", namespace, "env"]
    assert became == [
        [*inside, "ping", "-c", "1", "192.0.2.1"],
        [*inside, "ls", "--help"],
        [*inside, "env", "PS1=web:\\w\\$ ", "bash", "--norc"],
    ]


def test_a_wait_says_so_after_a_second(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the first second; then a plain line where stderr is no terminal, and none twice."""
    now_s = iter([0.0, 0.5, 1.5, 1.6, 1.7])
    monkeypatch.setattr("nebulactl.progress.time.monotonic", lambda: next(now_s))
    with Progress() as progress:
        for text in ("a", "b", "b", "c"):
            progress.say(text)
    assert capsys.readouterr().err == "b\nc\n"


def test_an_interrupt_ends_with_130(nebulactl: Nebulactl, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is no error message; what follows starts on a line of its own."""

    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nebulactl.actions.list_resources", interrupted)
    assert nebulactl("network", "list") == Ended(130, "", "\n")


def test_a_mistake_of_our_own_is_one_line(nebulactl: Nebulactl, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never a traceback, unless asked for."""

    def broken(*_arguments: object, **_options: object) -> None:
        raise ValueError("boom")

    monkeypatch.setattr("nebulactl.actions.list_resources", broken)
    ended = nebulactl("network", "list")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "ValueError: boom" in ended.err


def test_token_issue_prints_a_fresh_token(nebulactl: Nebulactl) -> None:
    """The token is new each time, in the openstack client's fields."""
    first = json.loads(nebulactl("token", "issue", "-f", "json").out)
    second = json.loads(nebulactl("token", "issue", "-f", "json").out)
    assert (sorted(first), first["expires"]) == (["expires", "id", "project_id", "user_id"], "2999-01-01T00:00:00+0000")
    assert first["id"] != second["id"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, nebulactl: Nebulactl) -> None:
    """Each noun is there and has a help text."""
    ended = nebulactl(command, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"Usage: nebulactl {command}")


def test_yaml_file_of_clouds(
    nebulactl: Nebulactl, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--os-cloud takes the entry of clouds.yaml; one that is not there is named."""
    auth = {name.removeprefix("OS_").lower(): value for name, value in cloud.environment.items()}
    file = tmp_path / "clouds.yaml"
    file.write_text(json.dumps({"clouds": {"mine": {"auth": auth}}}))
    for name in cloud.environment:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))
    assert nebulactl("--os-cloud", "mine", "network", "list").code == 0
    assert "No clouds.yaml has a cloud 'other'" in nebulactl("--os-cloud", "other", "network", "list").err
