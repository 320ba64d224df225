"""Ansible's collection ``openstack.cloud``, unmodified: playbooks make and remove the topology, once."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from openstack_cloud import Controller

PLAYBOOKS = Path(__file__).parent / "ansible"
ANSIBLE = Path(sys.prefix) / "ansible"

pytestmark = [
    pytest.mark.skipif(not (ANSIBLE / ".done").exists(), reason="no Ansible: 'make ansible' (also in 'make test')"),
    pytest.mark.timeout(600),  # each of the 42 tasks starts Python twice and imports the whole SDK
]


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Controller]:
    made = Controller(tmp_path)
    yield made
    made.stop()


def play(controller: Controller, playbook: str) -> dict[str, int]:
    """Run it; the numbers of its recap. AssertionError where a task failed."""
    folder = controller.folder / "ansible"
    environment = {
        **controller.environment(REGION_NAME="RegionOne"),
        "ANSIBLE_HOME": str(folder),
        "ANSIBLE_CONFIG": str(PLAYBOOKS / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ANSIBLE / "collections"),
        "ANSIBLE_PYTHON_INTERPRETER": str(ANSIBLE / "bin/python"),
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        [str(ANSIBLE / "bin/ansible-playbook"), "-i", "localhost,", str(PLAYBOOKS / playbook)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr + controller.log.read_text()[-5000:]
    return {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", done.stdout.rpartition("RECAP")[2])}


def test_playbooks_make_and_remove_the_case_study_once(controller: Controller) -> None:
    """The first run changes with each task, the second with none; the topology is what the playbook says."""
    made = play(controller, "make.yaml")
    assert made["changed"] == made["ok"] == 13
    assert play(controller, "make.yaml")["changed"] == 0
    router, port, floating, rules = controller.openstack(
        "router show edge -f json",
        "port show server -f json",
        "floating ip show 203.0.113.20 -f json",
        "security group rule list web --protocol tcp -f json",
    )
    assert [interface["ip_address"] for interface in router["interfaces_info"]] == ["192.168.50.1"]
    assert [address["ip_address"] for address in port["fixed_ips"]] == ["192.168.50.10"]
    assert (floating["fixed_ip_address"], floating["router_id"]) == ("192.168.50.10", router["id"])
    assert [rule["Port Range"] for rule in rules] == ["80:80"]

    removed = play(controller, "remove.yaml")
    assert removed["changed"] == removed["ok"] == 8
    assert play(controller, "remove.yaml")["changed"] == 0
    left = controller.openstack("network list -f json", "port list -f json", "router list -f json")
    assert left == [[], [], []]
