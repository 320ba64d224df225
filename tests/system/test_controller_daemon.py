"""``nebula-controller`` as a program: start, stop, bootstrap, key rotation, and what it says when it cannot start."""

from __future__ import annotations

import http.client
import json
import os
import socket
import sqlite3
import stat
import subprocess
import time
from pathlib import Path

import pytest
from openstack_cloud import PASSWORD, Controller, program


def _run(*flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*program("nebula-controller"), *flags],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env={**os.environ, **environment},
    )


def _log_in(url: str, password: str) -> int:
    host = url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=10)
    user = {"name": "admin", "domain": {"id": "default"}, "password": password}
    body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}}}
    connection.request("POST", "/identity/v3/auth/tokens", json.dumps(body))
    status = connection.getresponse().status
    connection.close()
    return status


def test_life(tmp_path: Path) -> None:
    """Starts, writes its pid, answers, keeps its state to itself, stops cleanly within two seconds, starts again."""
    controller = Controller(tmp_path)
    assert int(controller.pid_file.read_text()) == controller.process.pid
    assert _log_in(controller.url, PASSWORD) == 201
    state = tmp_path / "state"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    files = [path for path in state.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    idle = socket.create_connection(("127.0.0.1", int(controller.url.rpartition(":")[2])))
    started = time.monotonic()
    assert controller.stop() == 0
    assert time.monotonic() - started < 2
    idle.close()
    assert not controller.pid_file.exists()
    assert "Traceback" not in controller.log.read_text()
    again = Controller(tmp_path)
    assert _log_in(again.url, PASSWORD) == 201
    assert again.stop() == 0


def test_held_calls_are_let_go(tmp_path: Path) -> None:
    """An agent that waits for its view gets an answer at SIGTERM, and does not hold up the stop."""
    controller = Controller(tmp_path)
    headers = {"Authorization": f"Bearer {PASSWORD}"}
    node = {
        "host": "node1",
        "version": "0",
        "started_at": "2026-01-01T00:00:00Z",
        "datapath_type": "netdev",
        "vtep_ip": "192.0.2.1",
        "underlay_mtu_bytes": 1500,
        "roles": ["compute"],
    }
    connection = http.client.HTTPConnection(controller.url.removeprefix("http://"), timeout=30)
    connection.request("PUT", "/nebula/v1/nodes/node1", json.dumps(node), headers)
    assert connection.getresponse().read()
    connection.request("GET", "/nebula/v1/nodes/node1/view", headers=headers)
    first = connection.getresponse()
    assert (first.status, bool(first.read())) == (200, True)
    etag = {"If-None-Match": first.headers["ETag"]}
    connection.request("GET", "/nebula/v1/nodes/node1/view?wait=60", headers={**headers, **etag})
    time.sleep(0.2)
    started = time.monotonic()
    controller.process.terminate()
    assert connection.getresponse().status == 304
    assert controller.process.wait(10) == 0
    assert time.monotonic() - started < 2
    connection.close()
    assert "Traceback" not in controller.log.read_text()


def test_kill_leaves_no_obstacle(tmp_path: Path) -> None:
    """After kill -9 the next start finds its database and takes over the pid file."""
    controller = Controller(tmp_path)
    controller.process.kill()
    controller.process.wait()
    controller.pid_file.unlink()
    again = Controller(tmp_path)
    assert _log_in(again.url, PASSWORD) == 201
    again.stop()


def test_readiness_is_told_to_systemd(tmp_path: Path) -> None:
    """READY=1 goes to NOTIFY_SOCKET when it listens, and WATCHDOG=1 twice as often as systemd wants to hear it."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(address)
        notify.settimeout(20)
        process = subprocess.Popen(
            [*program("nebula-controller"), f"--state-dir={tmp_path / 'state'}", "--listen=127.0.0.1:0"],
            env={**os.environ, "NOTIFY_SOCKET": address, "WATCHDOG_USEC": "400000"},
            stderr=subprocess.DEVNULL,
        )
        try:
            assert [notify.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
        finally:
            process.terminate()
        while (last := notify.recv(100)) == b"WATCHDOG=1":
            pass
        assert last == b"STOPPING=1"
        assert process.wait(10) == 0


def test_several_addresses_and_json_logs(tmp_path: Path) -> None:
    """Inherited and own sockets are served alike; each line of the log is a JSON object."""
    controller = Controller(tmp_path, "--listen=127.0.0.1:0", "--log-format=json")
    assert _log_in(controller.url, PASSWORD) == 201
    lines = [json.loads(line) for line in controller.log.read_text().splitlines()]
    listening = next(line for line in lines if line["event"] == "listening")
    addresses = listening["addresses"].split()
    assert len(addresses) == 2
    assert [_log_in(f"http://{address}", PASSWORD) for address in addresses] == [201, 201]
    controller.stop()


def test_bootstrap_prints_the_password_once(tmp_path: Path) -> None:
    """The first time a random password, which is right; the second time nothing but a remark."""
    state = f"--state-dir={tmp_path / 'state'}"
    first = _run(state, "bootstrap")
    password = first.stdout.strip()
    assert (first.returncode, len(password) >= 20) == (0, True)
    second = _run(state, "bootstrap")
    assert (second.returncode, second.stdout) == (0, "")
    assert "already" in second.stderr
    controller = Controller(tmp_path)
    assert _log_in(controller.url, password) == 201
    assert _log_in(controller.url, PASSWORD) == 401
    controller.stop()
    with sqlite3.connect(tmp_path / "state" / "nebula.sqlite") as database:
        assert password not in "".join(database.iterdump())


def test_keys_rotate_under_a_running_controller(tmp_path: Path) -> None:
    """A rotation by another process is noticed; tokens made before it still work."""
    controller = Controller(tmp_path)
    assert _run(f"--state-dir={tmp_path / 'state'}", "keys", "rotate").returncode == 0
    names = sorted(path.name for path in (tmp_path / "state" / "fernet-keys").iterdir())
    assert names == ["0", "1", "2"]
    assert _log_in(controller.url, PASSWORD) == 201
    controller.stop()


@pytest.mark.parametrize(
    ("flags", "config", "said"),
    [
        (["--config={folder}/none.toml"], None, "No such file"),
        (["--config={folder}/c.toml"], "listen = [", "not valid TOML"),
        (["--config={folder}/c.toml"], "lisetn = ['127.0.0.1:1']", "lisetn"),
        (["--config={folder}/c.toml"], "token_lifetime_s = 'long'", "token_lifetime_s"),
        (["--listen=nonsense"], None, "HOST:PORT"),
        (["--listen=::1:80"], None, "brackets"),
        (["--listen=127.0.0.1:{taken}"], None, "another program has the port"),
        (["--listen=192.0.2.1:80"], None, "192.0.2.1"),
        (["--listen-fd=99"], None, "99"),
        (["--admin-password-file={folder}/none"], None, "none"),
        (["--node-secret-file={folder}/open"], None, "chmod 600"),
        (["--log-level=loud"], None, "log_level"),
        (["--state-dir=/proc/none"], None, "state folder"),
        (["--public-url=nonsense"], None, "public_url"),
        (["--pid-file=/proc/none/pid"], None, "pid file"),
    ],
)
def test_what_cannot_start_says_why(tmp_path: Path, flags: list[str], config: str | None, said: str) -> None:
    """One line on standard error, exit code 2, no traceback."""
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    (tmp_path / "open").write_text("x")
    (tmp_path / "open").chmod(0o644)
    if config is not None:
        (tmp_path / "c.toml").write_text(config)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        values = {"folder": tmp_path, "taken": taken.getsockname()[1]}
        base = [f"--state-dir={tmp_path / 'state'}", f"--admin-password-file={tmp_path / 'password'}"]
        done = _run(*base, *(flag.format(**values) for flag in flags))
    assert done.returncode == 2
    complaint = [line for line in done.stderr.splitlines() if line.startswith("nebula-controller: ")]
    assert len(complaint) == 1, done.stderr
    assert said in complaint[0]
    assert "Traceback" not in done.stderr


def test_two_on_one_state_folder(tmp_path: Path) -> None:
    """The second is refused and names the first."""
    controller = Controller(tmp_path)
    done = _run(f"--state-dir={tmp_path / 'state'}", "--listen=127.0.0.1:0")
    assert done.returncode == 2
    assert f"already running as process {controller.process.pid}" in done.stderr
    controller.stop()


def test_config_file_and_version(tmp_path: Path) -> None:
    """Flags beat the file; ``--version`` needs no configuration."""
    (tmp_path / "c.toml").write_text(f"state_dir = '{tmp_path / 'from-file'}'\nlisten = ['127.0.0.1:0']\n")
    assert _run(f"--config={tmp_path / 'c.toml'}", "bootstrap").returncode == 0
    assert (tmp_path / "from-file" / "nebula.sqlite").exists()
    assert _run("--version").stdout.startswith("nebula-controller, version ")
