"""A real slapd (OpenLDAP, from Debian's packages) in a folder of its own, on a free port of 127.0.0.1, as any user.

Effects: one process. The system's own service, if there is one, is neither used nor touched.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from pathlib import Path

SUFFIX = "dc=example,dc=org"
ROOT = f"cn=root,{SUFFIX}"
PASSWORD = "directory-root"
_START_S = 20
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin"

_CONF = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
database mdb
maxsize 10485760
suffix "{suffix}"
rootdn "{root}"
rootpw {password}
directory {folder}/data
access to attrs=userPassword by anonymous auth by * none
access to * by * read
"""


class Slapd:
    """Started empty but for two branches, ``ou=people`` and ``ou=groups``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "data").mkdir(parents=True)
        self.conf = folder / "slapd.conf"
        self.conf.write_text(_CONF.format(folder=folder, suffix=SUFFIX, root=ROOT, password=PASSWORD))
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"ldap://127.0.0.1:{self.port}"
        self._run(
            "slapadd",
            "-f",
            str(self.conf),
            text="".join(
                f"dn: {dn}\n{rest}\n\n"
                for dn, rest in (
                    (SUFFIX, "objectClass: dcObject\nobjectClass: organization\no: example\ndc: example"),
                    (f"ou=people,{SUFFIX}", "objectClass: organizationalUnit\nou: people"),
                    (f"ou=groups,{SUFFIX}", "objectClass: organizationalUnit\nou: groups"),
                )
            ),
        )
        self.start()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        argv = ["slapd", "-d", "0", "-h", self.url, "-f", str(self.conf)]
        self.process = subprocess.Popen(argv, env={"PATH": _PATH}, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.process.kill()
                    raise
                time.sleep(0.05)

    def stop(self) -> None:
        """Stop it; the data stay."""
        self.process.terminate()
        self.process.wait(20)

    def change(self, *entries: str) -> None:
        """Apply LDIF records, each a string; one without ``changetype`` is an addition."""
        bind = ["-x", "-H", self.url, "-D", ROOT, "-w", PASSWORD]
        self._run("ldapmodify", "-a", *bind, text="\n\n".join(entries) + "\n")

    def add_user(self, uid: str, password: str) -> str:
        """Its DN."""
        dn = f"uid={uid},ou=people,{SUFFIX}"
        rest = f"objectClass: inetOrgPerson\nuid: {uid}\ncn: {uid}\nsn: {uid}\nmail: {uid}@example.org"
        self.change(f"dn: {dn}\n{rest}\nuserPassword: {password}")
        return dn

    def add_group(self, name: str, *members: str) -> str:
        """Its DN; ``members`` are DNs, one at least."""
        dn = f"cn={name},ou=groups,{SUFFIX}"
        lines = "\n".join(f"member: {member}" for member in members)
        self.change(f"dn: {dn}\nobjectClass: groupOfNames\ncn: {name}\n{lines}")
        return dn

    def _run(self, *argv: str, text: str) -> None:
        done = subprocess.run(
            argv, input=text, env={"PATH": _PATH}, capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, done.stderr
