"""The real openstack client and nebulactl over TLS, and what the plain port still does beside it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import forked
from tests.system.openstack_cloud import BIN, PASSWORD, Controller

_NEBULACTL = (sys.executable, "-m", "nebulactl")


class Tls:
    """A controller that listens with TLS; the authority's certificate as the program prints it."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.controller = Controller(folder, f"--listen-tls=127.0.0.1:{port}")
        self.url = f"https://127.0.0.1:{port}"
        self.authority = folder / "authority.pem"
        argv = [str(BIN / "nebula-controller"), f"--state-dir={folder / 'state'}", "authority"]
        self.authority.write_text(subprocess.run(argv, check=True, capture_output=True, text=True, timeout=20).stdout)

    def variables(self, **more: str) -> dict[str, str]:
        """A client's, for the administrator; ``more`` are further ones."""
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.authority.parent),
            "OS_AUTH_URL": f"{self.url}/identity",
            "OS_USERNAME": "admin",
            "OS_PASSWORD": PASSWORD,
            "OS_PROJECT_NAME": "admin",
            "OS_USER_DOMAIN_NAME": "Default",
            "OS_PROJECT_DOMAIN_NAME": "Default",
            **more,
        }

    def run(self, *argv: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A client as installed."""
        env = self.variables(**more)
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tls]:
    made = Tls(tmp_path_factory.mktemp("tls"))
    yield made
    made.controller.stop()


def test_the_openstack_client_with_its_authority(tls: Tls) -> None:
    """OS_CACERT is enough: the catalogue too says https, so that the network service is called with TLS."""
    made = tls.run(str(BIN / "openstack"), "network", "create", "over-tls", OS_CACERT=str(tls.authority))
    assert made.returncode == 0, made.stderr
    listed = tls.run(*_NEBULACTL, "network", "list", "-f", "value", "-c", "Name", OS_CACERT=str(tls.authority))
    assert (listed.stdout, listed.returncode) == ("over-tls\n", 0), listed.stderr
    catalogue = tls.run(*_NEBULACTL, "endpoint", "list", "-f", "value", "-c", "URL", OS_CACERT=str(tls.authority))
    assert catalogue.returncode == 0, catalogue.stderr


def test_who_does_not_trust_it_sends_nothing(tls: Tls) -> None:
    """Without the authority there is no login, and the line says what to do; a file that holds none is named."""
    refused = tls.run(*_NEBULACTL, "network", "list")
    assert (refused.returncode, "authority that is not trusted here" in refused.stderr) == (1, True), refused.stderr
    assert "OS_CACERT" in refused.stderr
    broken = tls.run(*_NEBULACTL, "network", "list", OS_CACERT="/etc/hostname")
    assert (broken.returncode, "no certificates in PEM" in broken.stderr) == (1, True), broken.stderr
    flag = tls.run(*_NEBULACTL, "--os-cacert", str(tls.authority), "network", "list")
    assert flag.returncode == 0, flag.stderr


def test_http_on_the_tls_port_is_told(tls: Tls) -> None:
    """And TLS on the plain one."""
    wrong = tls.run(*_NEBULACTL, "network", "list", OS_AUTH_URL=tls.url.replace("https", "http") + "/identity")
    assert (wrong.returncode, "call https:// instead of http://" in wrong.stderr) == (1, True), wrong.stderr
    theirs = tls.run(
        str(BIN / "openstack"), "token", "issue", OS_AUTH_URL=tls.url.replace("https", "http") + "/identity"
    )
    assert "call https:// instead of http://" in theirs.stderr
    plain = tls.controller.url.replace("http://", "https://")
    other = tls.run(*_NEBULACTL, "network", "list", OS_AUTH_URL=f"{plain}/identity", OS_CACERT=str(tls.authority))
    assert (other.returncode, "does not speak TLS there" in other.stderr) == (1, True), other.stderr


@pytest.mark.parametrize("client", ["openstack", "nebulactl"])
def test_who_does_not_want_to_check_does_not(tls: Tls, tmp_path: Path, client: str) -> None:
    """--insecure, OS_INSECURE=true, and clouds.yaml let both in, whatever OS_CACERT says; other words do not."""
    auth = {"auth_url": f"{tls.url}/identity", "username": "admin", "password": PASSWORD, "project_name": "admin"}
    auth |= {"user_domain_name": "Default", "project_domain_name": "Default"}
    clouds = {"plain": {}, "insecure": {"insecure": True}, "unverified": {"verify": False}}
    (tmp_path / "clouds.yaml").write_text(json.dumps({"clouds": {name: {"auth": auth, **more}
                                                                 for name, more in clouds.items()}}))  # fmt: skip
    wrong = "/etc/hostname"

    def lets_in(*flags: str, **variables: str) -> bool:
        return forked.run(client, [*flags, "network", "list"], tls.variables(**variables)).returncode == 0

    def cloud(name: str, *flags: str) -> bool:
        variables = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "OS_CLIENT_CONFIG_FILE": str(tmp_path / "clouds.yaml"),
        }
        return forked.run(client, ["--os-cloud", name, *flags, "network", "list"], variables).returncode == 0

    assert lets_in("--insecure", OS_CACERT=wrong) and lets_in(OS_INSECURE="true", OS_CACERT=wrong)
    assert not lets_in() and not lets_in(OS_INSECURE="1") and not lets_in("--verify")
    assert cloud("insecure") and cloud("unverified")
    assert not cloud("plain") and not cloud("unverified", "--verify")
