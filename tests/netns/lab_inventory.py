"""Prints, as JSON, what there is on this machine that a lab must leave as it was.

Effects: reads /proc and /run, runs ip, iptables-save, ovs-vsctl, ovs-ofctl. A program of its own, run by Machine.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

_SYSCTLS = ("net.ipv4.ip_forward", "net.ipv6.conf.all.disable_ipv6", "net.ipv6.conf.all.forwarding", "kernel.hostname")
_FOLDERS = ("/run", "/run/netns", *map(str, Path("/run/user").glob("*")), "/var/lib")


def output(*argv: str) -> list[str]:
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False).stdout.splitlines()
    except FileNotFoundError:
        return []


def processes() -> list[str]:
    mine = {os.getpid()}
    parent = os.getppid()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) not in mine | {parent}:
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                found.append(f"{folder.name} {(folder / 'comm').read_text().strip()} {fields[19]}")
            except OSError:
                continue
    return sorted(found)


def namespaces() -> list[str]:
    links = set()
    for kind in ("net", "mnt", "pid", "user", "uts", "ipc", "cgroup"):
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                try:
                    links.add(str((folder / "ns" / kind).readlink()))
                except OSError:
                    continue
    return sorted(links)


def main() -> None:
    switches = output("ovs-vsctl", "--timeout=3", "list-br") if Path("/run/openvswitch/db.sock").exists() else []
    everything = {
        "processes": processes(),
        "namespaces": namespaces(),
        "named namespaces": output("ip", "netns", "list"),
        "links": [re.sub(r" qlen \d+", "", line) for line in output("ip", "-o", "link")],
        "addresses": output("ip", "-o", "address"),
        "routes": output("ip", "route", "show", "table", "all") + output("ip", "-6", "route", "show", "table", "all"),
        "rules": output("ip", "rule"),
        "mounts": [" ".join(line.split()[3:]) for line in Path("/proc/self/mountinfo").read_text().splitlines()],
        "iptables": [line for line in output("iptables-save") if not line.startswith("#")],
        "sysctls": output("sysctl", *_SYSCTLS),
        "sockets": output("ss", "-Hltunx"),
        "files": sorted(str(path) for folder in _FOLDERS if Path(folder).is_dir() for path in Path(folder).iterdir())
        + [name for uid in Path("/run/user").glob("*") if Path(name := f"/tmp/nebula-{uid.name}").exists()],
        "ovs": output("ovs-vsctl", "--timeout=3", "show") if switches else [],
        "flows": [line for switch in switches for line in output("ovs-ofctl", "--no-stats", "dump-flows", switch)],
    }
    print(json.dumps(everything))


if __name__ == "__main__":
    main()
