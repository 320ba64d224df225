"""nebulactl against a real nebula-controller process on 127.0.0.1, beside the real openstack client."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from nebula_runtime.http import Client
from nebulactl.main import run

NODE_SECRET = "a node secret for this test"
HERE = socket.gethostname()


class Controller(NamedTuple):
    url: str
    environment: dict[str, str]

    def node(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """A call as an agent makes it."""
        client = Client(self.url)
        try:
            response = client.request(
                method,
                f"/nebula/v1/nodes/{path}",
                headers={"Authorization": f"Bearer {NODE_SECRET}"},
                body=None if body is None else json.dumps(body).encode(),
            )
        finally:
            client.close()
        assert response.status < 300, response.body
        return json.loads(response.body or b"null")

    def beat(self) -> None:
        """This machine reports as a node, and is up for fifteen seconds."""
        report = {
            "host": HERE,
            "version": "0",
            "started_at": "2026-01-01T00:00:00Z",
            "datapath_type": "netdev",
            "vtep_ip": "10.0.0.1",
            "underlay_mtu_bytes": 1500,
            "roles": ["compute", "network"],
            "bridge_mappings": {"public": "br-ex"},
        }
        self.node("PUT", HERE, report)


class Ended(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    folder = tmp_path_factory.mktemp("controller")
    for name, secret in (("node-secret", NODE_SECRET), ("admin-password", "sesame")):
        (folder / name).write_text(secret)
        (folder / name).chmod(0o600)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        listener.set_inheritable(True)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        argv = [sys.executable, "-m", "nebula_controller.main", "--state-dir", str(folder / "state")]
        argv += ["--listen-fd", str(listener.fileno()), "--node-secret-file", str(folder / "node-secret")]
        argv += ["--admin-password-file", str(folder / "admin-password")]
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(argv, pass_fds=[listener.fileno()], stdout=log, stderr=log)
    environment = {
        "OS_AUTH_URL": f"{url}/identity/v3",
        "OS_USERNAME": "admin",
        "OS_PASSWORD": "sesame",
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    found = Controller(url, environment)
    try:
        _wait_until_up(found, process, folder / "log")
        yield found
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_until_up(controller: Controller, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(100):
        assert process.poll() is None, log.read_text()
        try:
            Client(controller.url, timeout_s=5).request("GET", "/identity/v3")
            return
        except Exception:
            time.sleep(0.1)
    pytest.fail(f"the controller does not answer: {log.read_text()}")


@pytest.fixture
def nebulactl(
    controller: Controller, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], Ended]:
    """Runs a command line in this process, as the administrator."""
    for name in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(name)
    for name, value in controller.environment.items():
        monkeypatch.setenv(name, value)
    controller.beat()

    def call(line: str) -> Ended:
        code = run(line.split())
        return Ended(code, *capsys.readouterr())

    return call


Nebulactl = Callable[[str], Ended]


@pytest.fixture
def case_study(nebulactl: Nebulactl) -> Iterator[None]:
    """Network, subnet, router with gateway; gone afterwards."""
    made = (
        "network create nebula_net",
        "subnet create nebula_subnet --network nebula_net --subnet-range 192.168.50.0/24",
        "network create outside --external --provider-network-type flat --provider-physical-network public",
        "subnet create outside_subnet --network outside --subnet-range 203.0.113.0/24 --no-dhcp",
        "router create nebula_router",
        "router add subnet nebula_router nebula_subnet",
        "router set nebula_router --external-gateway outside",
    )
    for line in made:
        ended = nebulactl(line)
        assert ended.code == 0, ended.err
    yield
    for line in (
        "router unset nebula_router --external-gateway",
        "router remove subnet nebula_router nebula_subnet",
        "router delete nebula_router",
        "network delete nebula_net outside",
    ):
        ended = nebulactl(line)
        assert ended.code == 0, ended.err


def _process(controller: Controller, *words: str, **more: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "nebulactl", *words],
        env={**os.environ, **controller.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


@pytest.mark.usefixtures("case_study")
def test_the_case_study(nebulactl: Nebulactl) -> None:
    """Network, subnet, router, interface, gateway: all there, under their names."""
    assert nebulactl("subnet show nebula_subnet -f value -c gateway_ip -c ip_version").out == "192.168.50.1\n4\n"
    shown = json.loads(nebulactl("router show nebula_router -f json").out)
    assert [interface["ip_address"] for interface in shown["interfaces_info"]] == ["192.168.50.1"]
    assert shown["external_gateway_info"]["enable_snat"] is True
    owners = nebulactl("port list --router nebula_router --long -f value -c Device_Owner").out.split()
    assert sorted(owners) == ["network:router_gateway", "network:router_interface"]
    assert HERE in nebulactl("agent list -f value -c Host").out


@pytest.mark.usefixtures("case_study")
def test_what_is_in_use_stays(nebulactl: Nebulactl) -> None:
    """The server's reason is the message, and the network is still there."""
    ended = nebulactl("network delete nebula_net")
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert "ports still in use" in ended.err
    assert nebulactl("network show nebula_net -c name -f value").out == "nebula_net\n"


@pytest.mark.usefixtures("case_study")
@pytest.mark.parametrize("line", ["port list --long", "router show nebula_router -f json"])
def test_the_openstack_client_prints_the_same(line: str, nebulactl: Nebulactl, controller: Controller) -> None:
    """Against one server, both clients print the same bytes."""
    program = Path(sys.executable).with_name("openstack")
    done = subprocess.run(
        [program, *line.split()],
        env={**os.environ, **controller.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert nebulactl(line).out == done.stdout


def test_a_second_project_sees_its_own(nebulactl: Nebulactl) -> None:
    """A user who is let into a project makes a network there, and may not do what is the administrator's."""
    for line in (
        "project create second",
        "user create student --password pencil --project second",
        "role add --user student --project second member",
    ):
        assert nebulactl(line).code == 0
    student = "--os-username student --os-password pencil --os-project-name second"
    assert nebulactl(f"{student} network create own").code == 0
    ended = nebulactl(f"{student} network create other --external")
    assert (ended.code, ended.err) == (
        1,
        "nebulactl: rule:create_network:router:external is disallowed by policy\n",
    )
    assert nebulactl("network list --project second -f value -c Name").out == "own\n"
    assert nebulactl("role assignment list --names --user student -f value -c Project").out == "second@Default\n"
    assert nebulactl("--os-password wrong network list").code == 1
    assert nebulactl("network delete own").code == 0


@pytest.mark.usefixtures("case_study")
def test_a_receipt_leads_from_the_call_to_the_kernel(nebulactl: Nebulactl, controller: Controller) -> None:
    """What an agent reports for a call is read back with the call's id, and as the last call's."""
    ended = nebulactl("-v port create p --network nebula_net -f value -c id")
    port_id, request_id = ended.out.strip(), ended.err.removeprefix("Request ID: ").strip()
    view = controller.node("GET", f"{HERE}/view")
    change = {
        "action": "add",
        "kind": "flow",
        "name": "br-int table=73",
        "owner": {"kind": "port", "id": port_id},
        "command": "ovs-ofctl add-flow br-int table=73",
        "result": "done",
        "at_s": 0.01,
    }
    receipt = {
        "host": HERE,
        "epoch": view["epoch"],
        "from_revision": 0,
        "to_revision": view["revision"],
        "reason": "view",
        "started_at": "2026-01-01T00:00:00Z",
        "duration_s": 0.1,
        "changes": [change],
    }
    controller.node("POST", f"{HERE}/receipts", receipt)
    last = nebulactl("receipt --last --wait -f value -c Node -c Command")
    assert last.out == f"{HERE} ovs-ofctl add-flow br-int table=73\n"
    assert json.loads(nebulactl(f"receipt {request_id} -f json").out)["request"]["id"] == request_id
    assert nebulactl("port delete p").code == 0


@pytest.mark.usefixtures("case_study")
def test_an_interrupted_wait_ends_with_130(nebulactl: Nebulactl, controller: Controller) -> None:
    """Ctrl-C while an instance is awaited: exit code 130, what is awaited was said, no traceback."""
    waiting = _process(controller, "instance", "create", "slow", "--network", "nebula_net")
    assert waiting.stderr is not None
    said = waiting.stderr.readline()
    waiting.send_signal(signal.SIGINT)
    _out, rest = waiting.communicate(timeout=20)
    assert (waiting.returncode, said, rest.strip()) == (130, "Waiting for instance slow: BUILD\n", "")
    assert nebulactl("instance delete slow").code == 0


def test_a_reader_that_goes_away_is_no_error(controller: Controller) -> None:
    """``nebulactl ... | head`` leaves no message behind; the exit code is click's."""
    process = _process(controller, "project", "show", "admin")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.wait(timeout=20) == 1
    assert process.stderr.read() == ""
    process.stderr.close()


_INSIDE = """
mount -t tmpfs tmpfs /run && ip netns add instance-{id} || exit 99
{python} -m nebulactl instance exec web -- sh -c 'ip netns identify $$; echo to stderr >&2; exit 7'
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a mount namespace with a /run/netns of its own")
@pytest.mark.usefixtures("case_study")
def test_exec_runs_in_the_instances_namespace(nebulactl: Nebulactl, controller: Controller) -> None:
    """On the instance's own node, exec is the program itself: its namespace, its output, its exit code."""
    made = nebulactl(f"instance create web --network nebula_net --node {HERE} --no-wait -f value -c id")
    assert made.code == 0, made.err
    identifier = made.out.strip()
    script = _INSIDE.format(id=identifier, python=sys.executable)
    done = subprocess.run(
        ["unshare", "-m", "--propagation", "private", "sh", "-c", script],
        env={**os.environ, **controller.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, f"instance-{identifier}\n", "to stderr\n")
    assert nebulactl("instance delete web").code == 0
