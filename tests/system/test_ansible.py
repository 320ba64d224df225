"""Ansible's collection ``openstack.cloud``, unmodified: playbooks make and remove the topology, once."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from openstack_cloud import Controller

PLAYBOOKS = Path(__file__).parent / "ansible"
ANSIBLE = Path(sys.prefix) / "ansible"

pytestmark = [
    pytest.mark.skipif(not (ANSIBLE / ".done").exists(), reason="no Ansible: 'make ansible' (also in 'make test')"),
    pytest.mark.timeout(600),
]


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Controller]:
    made = Controller(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def module_python(tmp_path: Path) -> Iterator[str]:
    """The program that is Python to Ansible's modules."""
    words = [str(ANSIBLE / "bin/python"), str(PLAYBOOKS / "module_python.py")]
    place, program = str(tmp_path / "loaded"), tmp_path / "python"
    program.write_text(f"#!/bin/sh\nexec {words[0]} -IS {words[1]} call {place}\n")
    program.chmod(0o755)
    with subprocess.Popen([*words, "serve", place], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as loaded:
        assert loaded.stdout is not None
        assert loaded.stdout.readline() == b"loaded\n"
        yield str(program)


def play_twice(controller: Controller, playbook: str, module_python: str) -> list[Counter[str]]:
    """Run it two times; how many tasks were "changed" and how many "ok" in each. AssertionError where one failed."""
    environment = {
        **controller.environment(REGION_NAME="RegionOne"),
        "ANSIBLE_HOME": str(controller.folder / "ansible"),
        "ANSIBLE_CONFIG": str(PLAYBOOKS / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(ANSIBLE / "collections"),
        "ANSIBLE_PYTHON_INTERPRETER": module_python,
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        [str(ANSIBLE / "bin/ansible-playbook"), "-i", "localhost,", *[str(PLAYBOOKS / playbook)] * 2],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr + controller.log.read_text()[-5000:]
    runs = done.stdout.split("PLAY [")[1:3]
    return [Counter(re.findall(r"^(\w+): \[localhost\]", run, re.MULTILINE)) for run in runs]


def test_playbooks_make_and_remove_the_case_study_once(controller: Controller, module_python: str) -> None:
    """The first run changes with each task, the second with none; the topology is what the playbook says."""
    assert play_twice(controller, "make.yaml", module_python) == [{"changed": 13}, {"ok": 13}]
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

    assert play_twice(controller, "remove.yaml", module_python) == [{"changed": 8}, {"ok": 8}]
    left = controller.openstack("network list -f json", "port list -f json", "router list -f json")
    assert left == [[], [], []]
