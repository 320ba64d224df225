"""The Vagrantfile, as Vagrant reads it for both providers, and what it does to a machine, without any machine.

The machines themselves are brought up by hand: ``make test-vagrant``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_HERE = Path(__file__).resolve().parent
_FOLDER = _HERE.parents[1] / "vagrant"
_UNDERLAY = {
    "controller": "192.168.77.10",
    "net1": "192.168.77.20",
    "compute1": "192.168.77.21",
    "compute2": "192.168.77.22",
}
_SEGMENTS = ("nebula-underlay", "nebula-provider")
_PROXY = "http://192.0.2.1:3128"
STORY = """\
tcpdump 99, nebula-agent nebula-agent
asked: GET http://packages.example/./tcpdump.deb
configured: role = ["compute"] vtep_ip = "192.168.77.21"
starts with the machine: nebula-agent.service
apt, later: GET http://packages.example/./Packages
a login: CONNECT packages.example:443 GET http://packages.example/
to the controller: directly,
again: dpkg does nothing
all packages came with the box: dpkg does nothing
other ones came with the box: dpkg does packages
without proxies: 0
the network node: bridge_mapping = ["provider:br-ex:provider0"], 0 addresses, ip link set provider0 up
the administrator's networks: public, subnets: public_subnet
tokens: compute1 net1, which root alone reads
a token made before the controller was asked: for compute1, the next one: another for compute1
starts with the machine: nebula-controller.service nebula-outside.service
"""


class _Vagrant:
    """Vagrant with folders of its own, and vagrant_asked.rb."""

    def __init__(self, home: Path) -> None:
        if shutil.which("vagrant") is None:
            pytest.skip("vagrant is not installed")
        self._environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        self._environment |= {"VAGRANT_HOME": str(home / "home"), "VAGRANT_DOTFILE_PATH": str(home / "dot")}
        self.loaded = subprocess.Popen(
            ["ruby", str(_HERE / "vagrant_asked.rb")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self._environment, cwd=_FOLDER,
        )  # fmt: skip

    def run(self, *argv: str, **changes: str) -> str:
        """Output of a command that succeeds, with variables changed."""
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, env=self._environment | changes, cwd=_FOLDER, timeout=100
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def asked(self, *words: str, **changes: str) -> Any:
        """What vagrant_asked.rb says, with variables changed. Where it fails, standard error has why."""
        assert self.loaded.stdin is not None and self.loaded.stdout is not None
        print(json.dumps([words, self._environment | changes]), file=self.loaded.stdin, flush=True)
        answer = json.loads(self.loaded.stdout.readline())
        assert answer is not None
        return answer


@pytest.fixture(scope="module")
def vagrant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Vagrant]:
    """Vagrant, where it is installed."""
    made = _Vagrant(tmp_path_factory.mktemp("vagrant"))
    with made.loaded:
        yield made


def test_vagrantfile(vagrant: _Vagrant) -> None:
    """Vagrant takes it, with proxies and another number of nodes, and names its machines."""
    changes = {"NEBULA_NODES": "3", "https_proxy": _PROXY, "NEBULA_DRIVER": "qemu"}
    assert "validated successfully" in vagrant.run("vagrant", "validate", "--ignore-provider", **changes)
    shown = vagrant.run("vagrant", "status", "--machine-readable", **changes)
    assert {line.split(",")[1] for line in shown.splitlines()} >= {"controller", "net1", "compute1", "compute3"}


@pytest.mark.parametrize("provider", ["virtualbox", "libvirt"])
def test_each_provider_has_the_same_machines(vagrant: _Vagrant, provider: str) -> None:
    """Addresses, segments in this order, roles, box, sizes; the network node has no address on the provider segment."""
    changes = {"NEBULA_BOX": "some/box", "NEBULA_MEMORY_MIB": "1024", "NEBULA_CPUS": "2", "NEBULA_DRIVER": "qemu"}
    told = vagrant.asked("config", provider, **changes)
    key = {"virtualbox": "virtualbox__intnet", "libvirt": "libvirt__network_name"}[provider]
    assert {name: [item[key] for item in one["networks"]] for name, one in told.items()} == {
        "controller": [*_SEGMENTS], "net1": [*_SEGMENTS], "compute1": [_SEGMENTS[0]], "compute2": [_SEGMENTS[0]],
    }  # fmt: skip
    assert {name: one["networks"][0]["ip"] for name, one in told.items()} == _UNDERLAY
    assert [told[name]["networks"][1]["auto_config"] for name in ("controller", "net1")] == [True, False]
    assert {name: (one["provision"]["args"], one["joins_after"]) for name, one in told.items()} == {
        "controller": (["controller", _UNDERLAY["controller"], "net1", "compute1", "compute2"], []),
        "net1": (["network", _UNDERLAY["net1"]], ["up", "provision"]),
        "compute1": (["compute", _UNDERLAY["compute1"]], ["up", "provision"]),
        "compute2": (["compute", _UNDERLAY["compute2"]], ["up", "provision"]),
    }
    assert {(one["host"], one["box"]) for one in told.values()} == {(name, "some/box") for name in _UNDERLAY}
    sizes = {
        "virtualbox": {"--memory": "1024", "--cpus": 2},
        "libvirt": {"memory_mib": 1024, "cpus": 2, "driver": "qemu"},
    }
    # Routers have MAC addresses of their own on the provider segment: the third card, after Vagrant's, the underlay's.
    more = {"net1": {"--nicpromisc3": "allow-all"}} if provider == "virtualbox" else {}
    assert {name: one["settings"] for name, one in told.items()} == {
        name: sizes[provider] | more.get(name, {}) for name in _UNDERLAY
    }


def test_number_of_compute_nodes(vagrant: _Vagrant) -> None:
    """NEBULA_NODES says how many; a box and sizes need not be said."""
    told = vagrant.asked("config", "libvirt", NEBULA_NODES="4")
    assert [*told] == ["controller", "net1", "compute1", "compute2", "compute3", "compute4"]
    assert told["compute4"]["networks"][0]["ip"] == "192.168.77.24"
    assert (told["compute4"]["box"], told["compute4"]["settings"]["driver"]) == ("debian/bookworm64", "kvm")


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY"])
def test_proxies_are_told_to_the_machines(vagrant: _Vagrant, name: str) -> None:
    """Whichever way they are written; what is on the underlay is reached without them. No proxy, no word of one."""
    told = vagrant.asked("config", "libvirt", **{name: _PROXY, "no_proxy": "intern.example"})
    for one in told.values():
        direct = set(one["provision"]["env"].pop("no_proxy").split(","))
        assert direct == {"intern.example", "localhost", "127.0.0.1", *_UNDERLAY.values()}
        assert one["provision"]["env"] == {"https_proxy": _PROXY}
    assert vagrant.asked("config", "libvirt")["net1"]["provision"]["env"] == {}


def test_machines_that_come_up_at_once_wait_for_one_make_deb(vagrant: _Vagrant, tmp_path: Path) -> None:
    """Four threads, as libvirt has them: make runs once, and has ended when the first of them goes on."""
    made, make = tmp_path / "made", tmp_path / "make"
    make.write_text('#!/bin/sh\necho "begins ${*#* -C */}" >> "$MADE"\nsleep 0.3\necho ends >> "$MADE"\n')
    make.chmod(0o755)
    seen = vagrant.asked("packages", MADE=str(made), PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert [[line.split()[0] for line in lines] for lines in seen] == [["begins", "ends"]] * 4


def test_each_join_has_a_connection_of_its_own(vagrant: _Vagrant) -> None:
    """Three nodes that join at once: none takes the connection that brings the controller up, each has its token."""
    join = "nebula-agent join https://192.168.77.10:9697 -"
    assert vagrant.asked("join", PROVISIONED="yes") == {
        "asked": {name: [f"echo token-of-{name} | {join}"] for name in _UNDERLAY if name != "controller"},
        "connections": 3,
        "threads_of_each": [1],
    }


def test_what_is_not_provisioned_does_not_join(vagrant: _Vagrant) -> None:
    """``vagrant up --no-provision`` ends, and does not wait for a controller that nobody makes."""
    assert vagrant.asked("join", PROVISIONED="no")["asked"] == {"net1": [], "compute1": [], "compute2": []}


@pytest.mark.timeout(240)
def test_machines_are_provisioned_through_a_proxy(debs: Path, tmp_path: Path) -> None:
    """apt and logins take it, but not to the controller; packages that are there are left alone; a cloud is made."""
    if os.geteuid() != 0:
        pytest.skip("packages are installed by root")
    private = tmp_path / "private"
    private.mkdir()
    argv = [str(_HERE / "deb_root.sh"), str(private), "bash", str(_HERE / "vagrant_story.sh"), str(debs)]
    argv += [str(_FOLDER / "provision.sh"), str(_HERE / "vagrant_proxy.py")]
    told = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=200, stdin=subprocess.DEVNULL)
    lines = [line.removeprefix("story: ").rstrip() for line in told.stdout.splitlines() if line.startswith("story: ")]
    assert lines == STORY.splitlines(), told.stdout + told.stderr
    assert told.returncode == 0, told.stderr
