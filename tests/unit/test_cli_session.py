"""nebulactl without a command: lines of commands from a script, and at a terminal."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_cloud import Cloud, Ended, Nebulactl

_NAMES = ["nebula_net", "public"]
_LIST = "network list -f value -c Name"

_HERE_IS_THE_INSTANCE = """
from nebulactl.commands import instance
from nebulactl.main import main
instance.find = lambda *_which: {}
instance.command_line = lambda _instance, _url, argv: argv
main()
"""

Session = Callable[..., Ended]


def _environment(cloud: Cloud, folder: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    return {**own, **cloud.environment, "XDG_CACHE_HOME": str(folder), "TERM": "dumb"}


@pytest.fixture
def session(nebulactl: Nebulactl, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Gives ``text`` to ``nebulactl FLAGS...``."""

    def call(text: str, *flags: str) -> Ended:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        return nebulactl(*flags)

    return call


def test_script_of_commands_logs_in_once(session: Session, cloud: Cloud) -> None:
    """Words as in a shell, comments and empty lines; what is printed is the commands' alone."""
    ended = session(f'# the class\n\nnetwork create "my net" -f value -c name  # theirs\n{_LIST}\n')
    assert (ended.code, ended.out.split("\n"), ended.err) == (0, ["my net", *_NAMES, "my net", ""], "")
    assert cloud.logins == 1


@pytest.mark.parametrize(
    ("wrong", "code", "said"),
    [
        ("network show nowhere", 1, "nebulactl: "),
        ("network nonsense", 2, "Usage: "),
        ("network create 'x", 2, "nebulactl: No closing quotation"),
    ],
)
def test_failure_ends_a_script_with_its_code(wrong: str, code: int, said: str, session: Session, cloud: Cloud) -> None:
    """Nothing is done on top of what is missing, and the line is told."""
    ended = session(f"{_LIST}\n{wrong}\nnetwork create later\n")
    assert (ended.code, ended.out.split()) == (code, _NAMES)
    assert ended.err.startswith(said)
    assert ended.err.endswith("nebulactl: line 2 failed; what comes after it was not done\n")
    assert not any(path.endswith("/networks") for path, _body in cloud.sent("POST"))


def test_flags_hold_for_each_command_until_it_has_its_own(session: Session, cloud: Cloud) -> None:
    """Who calls is said once."""
    lines = "token issue\n--os-project-name demo token issue\n"
    assert session(lines, "--os-project-name", "second").code == 0
    logins = [body for method, path, body in cloud.requests if (method, path[-12:]) == ("POST", "/auth/tokens")]
    projects = [body["auth"]["scope"]["project"]["name"] for body in logins]
    assert (projects[0], projects[-1], set(projects)) == ("second", "demo", {"second", "demo"})


def test_exit_ends_and_help_explains(session: Session) -> None:
    """As in the openstack client."""
    ended = session(f"help network list\nexit\n{_LIST}\n")
    assert ended.code == 0
    assert ended.out.startswith("Usage: nebulactl network list ")
    assert "public" not in ended.out


def test_program_in_an_instance_leaves_the_other_lines_alone(cloud: Cloud, tmp_path: Path) -> None:
    """It neither takes the session's place nor reads its commands; its exit code is the command's."""
    beyond_a_buffer = "#" * 100_000
    lines = ("instance exec web -- cat", beyond_a_buffer, _LIST, "instance exec web -- sh -c 'exit 7'", _LIST)
    ended = subprocess.run(
        [sys.executable, "-c", _HERE_IS_THE_INSTANCE],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=_environment(cloud, tmp_path),
    )
    assert (ended.returncode, ended.stdout.split()) == (7, _NAMES)


def test_at_a_terminal_a_mistake_is_followed_by_the_next_prompt(cloud: Cloud, tmp_path: Path) -> None:
    """A prompt for each line; the end of the input is the end, with the last command's code."""
    terminal, side = pty.openpty()
    try:
        os.write(terminal, f"network nonsense\n{_LIST}\n\x04".encode())
        ended = subprocess.run(
            [sys.executable, "-m", "nebulactl"],
            stdin=side,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=_environment(cloud, tmp_path),
        )
    finally:
        os.close(terminal)
        os.close(side)
    assert (ended.returncode, [word for word in ended.stdout.split() if word in _NAMES]) == (0, _NAMES)
    assert ended.stdout.count("(nebulactl) ") + ended.stderr.count("(nebulactl) ") == 3
    assert "No such command 'nonsense'" in ended.stderr
