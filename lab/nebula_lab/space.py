"""Places: sets of Linux namespaces that a small init keeps alive, and the way into them.

Effects: starts processes with unshare(1), enters namespaces with nsenter(1), mounts inside a place.

The first place of a lab (the fabric) has a PID namespace of its own, all others are nested in it: when its init
ends, the kernel ends every process of the lab, and with them go namespaces, links and mounts. Nothing of a lab is
held by a file. An ordinary user's lab has a user namespace around all of it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from nebula.errors import CommandFailed, ConfigError
from nebula_lab import process
from nebula_lab.command import environment, run, search_path
from nebula_lab.process import Process

LAB_MARK = "NEBULA_LAB_FOLDER"
"""The environment variable in which every init of a lab carries the lab's folder."""
PLACE_MARK = "NEBULA_LAB_PLACE"
"""And the one with the name of its place."""
_INIT = ("tini", "--", "sleep", "infinity")
_BIRTH_S = 30.0


class Space(msgspec.Struct, frozen=True):
    """A place's init. ``in_user_namespace``: the lab is an ordinary user's."""

    init: Process
    in_user_namespace: bool

    def enter(self, argv: Sequence[str], *, network_only: bool = False) -> list[str]:
        """The command line that runs ``argv`` inside, as its root, in its folder /.

        ``network_only`` keeps the machine's files, processes and working folder.
        """
        line = ["nsenter", f"--target={self.init.pid}"]
        if self.in_user_namespace:
            line += ["--user", "--preserve-credentials"]
        line.append("--net")
        if not network_only:
            line += ["--mount", "--pid", "--uts", "--ipc"]
        return [*line, "--", *argv]

    def run(self, argv: Sequence[str], *, stdin: str | None = None, network_only: bool = False) -> str:
        """Output of ``argv``, run inside. Raises CommandFailed."""
        try:
            return run(self.enter(argv, network_only=network_only), stdin=stdin)
        except CommandFailed as error:
            raise CommandFailed(argv, error.exit_code, error.stderr) from error

    def start(self, argv: Sequence[str], log: Path, *, pass_fds: Sequence[int] = (), own_mounts: bool = True) -> None:
        """Start a daemon inside, as a child of its init; what it prints goes to the end of ``log``.

        ``own_mounts`` false: it sees the machine's files. Raises CommandFailed where it cannot be started at all.
        """
        line = self.enter(["setsid", "--fork", *argv])
        if not own_mounts:
            line.remove("--mount")
        with log.open("ab") as output:
            ended = subprocess.run(
                line,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=pass_fds,
                env=environment(),
                cwd="/",
                timeout=30,
                check=False,
            )
        if ended.returncode != 0:
            raise CommandFailed(argv, ended.returncode, _last_line(log))


def birth(folder: Path, place: str, log: Path, inside: Space | None = None) -> Space:
    """Make a place: new mount, PID, network, host name and IPC namespaces with an init in them.

    ``inside`` is the lab's first place, None for the first itself. Raises CommandFailed.
    """
    marks = {LAB_MARK: str(folder), PLACE_MARK: place}
    in_user_namespace = os.geteuid() != 0
    argv = ["unshare", "--mount", "--pid", "--net", "--uts", "--ipc"]
    if inside is None and in_user_namespace:
        argv += ["--user", "--map-root-user"]
    argv += ["--", "setsid", "--fork", *_INIT]
    line = argv
    if inside is not None:
        line = inside.enter(argv)
        line.remove("--mount")  # its mounts shall start as a copy of the machine's, not of the fabric's
    started_s = time.monotonic()
    with log.open("wb") as output:
        ended = subprocess.run(
            line,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment(marks),
            cwd="/",
            timeout=30,
            check=False,
        )
    if ended.returncode != 0:
        raise CommandFailed(argv, ended.returncode, _last_line(log))
    while time.monotonic() - started_s < _BIRTH_S:
        for found in process.bearing(marks):
            if process.command_name(found.pid) == _INIT[0]:
                return Space(found, in_user_namespace)
        time.sleep(0.002)
    raise CommandFailed(argv, None, _last_line(log))


def furnish(space: Space, place: str, folder: Path, *, private: Sequence[tuple[str, str]]) -> None:
    """Give a place its own /proc, /sys, host name, and ``private`` folders: (name in ``folder``, path inside).

    Folders that hold the program itself or the caller's Python stay reachable below a private one. Raises
    ConfigError where the machine forbids mounting /proc (some containers do).
    """
    lines = [f"{place} /proc proc nosuid,nodev,noexec 0 0", f"{place} /sys sysfs nosuid,nodev,noexec 0 0"]
    for name, inside in sorted(private, key=lambda pair: str(folder / pair[0]).startswith(f"{pair[1]}/")):
        own = folder / name
        for needed in _needed_below(Path(inside)):
            kept = own / needed.relative_to(inside)
            kept.mkdir(parents=True, exist_ok=True)
            lines.append(f"{_field(needed)} {_field(kept)} none rbind 0 0")
        lines.append(f"{_field(own)} {inside} none rbind 0 0")
    table = folder / "fstab"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    try:
        space.run(["mount", "--all", "--fstab", str(table)])
        if os.geteuid() == 0 and os.statvfs(folder).f_flag & os.ST_NOEXEC:
            # Debian mounts /run so, where root's labs are. A user cannot undo it; preflight has looked.
            for _name, inside in private:
                space.run(["mount", "-o", "remount,bind,exec", inside])
    except CommandFailed as error:
        raise ConfigError(
            f"cannot mount inside {place}: {error.stderr.strip().splitlines()[0] if error.stderr.strip() else error}. "
            "A container must be allowed to mount /proc and /sys (Docker: --security-opt systempaths=unconfined)"
        ) from error
    space.run(["hostname", place])


def program(name: str) -> str:
    """Absolute path of an installed program. Raises ConfigError."""
    found = shutil.which(name, path=search_path())
    if found is None:
        raise ConfigError(f"{name} is not installed: run 'make setup'")
    return found


def _needed_below(covered: Path) -> list[Path]:
    """Folders that a private folder would hide although the lab's daemons are read from them."""
    import sys

    wanted = {Path(entry) for entry in [*sys.path, sys.prefix, sys.exec_prefix] if entry.startswith(f"{covered}/")}
    tops = {covered / entry.relative_to(covered).parts[0] for entry in wanted}
    return sorted(top for top in tops if top.is_dir())


def _field(path: Path) -> str:
    """A path as a field of fstab(5)."""
    return str(path).replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011").replace("\n", "\\012")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
