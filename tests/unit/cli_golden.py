"""What the real openstack client prints for the case study, kept in ``test_cli_golden/``.

Run as a program it asks the client (python-openstackclient, two seconds a line) and writes the files anew.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).with_name("test_cli_golden")

LINES = (
    "network list",
    "network list --long",
    "network list --long -f json",
    "network list -f value",
    "network list -f csv",
    "network list -f yaml --sort-column Name --sort-descending",
    "network list --name none",
    "network list --max-width 80",
    "network show nebula_net",
    "network show nebula_net --max-width 60",
    "network show nebula_net -f value",
    "network show public -f json",
    "network show public -f shell --prefix net_",
    "network show public -c name -c router:external",
    "subnet list --long",
    "subnet list --long -f json",
    "subnet list --long -f value",
    "subnet show nebula_subnet",
    "subnet show nebula_subnet -f json",
    "subnet show nebula_subnet -f value",
    "port list",
    "port list --long -f json",
    "port list -f csv",
    "port list --max-width 90",
    "port show web0",
    "port show web0 -f json",
    "port show web0 -f value",
    "router list",
    "router list --long",
    "router list --long -f json",
    "router show nebula_router",
    "router show nebula_router -f value",
    "security group list",
    "security group list -f json",
    "security group show web",
    "security group show web -f json",
    "security group rule list",
    "security group rule list web",
    "security group rule list web -f json",
    "security group rule show 0a0b0c0d-0000-4000-8000-000000000003",
    "floating ip list",
    "floating ip list --long -f json",
    "floating ip show 203.0.113.5",
    "floating ip show 203.0.113.5 -f json",
    "floating ip port forwarding list 203.0.113.5",
    "floating ip port forwarding show 203.0.113.5 725ade3c-9760-4880-8080-8fc2dbab9acc",
    "agent list",
    "agent list -f json",
    "agent show 5321efe5-d4e7-47c6-9b21-6fc447b9a5b9",
    "agent show 5321efe5-d4e7-47c6-9b21-6fc447b9a5b9 -f value",
    "extension list --network",
    "extension list --network --long",
    "network qos rule type list",
    "quota list --network",
    "quota list --network -f json",
    "project list --long",
    "project show second",
    "project show second -f json",
    "user list --long",
    "user show student",
    "role list",
    "role show member",
    "role assignment list",
    "role assignment list --names -f json",
)


def golden_file(line: str) -> Path:
    """The file of a command line."""
    return FOLDER / (line.replace(":", "-").replace(" ", "_") + ".txt")


def openstack(line: str, environment: dict[str, str]) -> str:
    """Standard output of the real client. Its noun for agents has two words."""
    words = line.split()
    argv = ["network", *words] if words[0] == "agent" else words
    program = Path(sys.executable).with_name("openstack")
    done = subprocess.run(
        [program, *argv], env={**os.environ, **environment}, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def main() -> None:
    from cli_case_study import fill
    from cli_cloud import running_cloud

    FOLDER.mkdir(exist_ok=True)
    with running_cloud() as cloud:
        fill(cloud)
        for line in LINES:
            golden_file(line).write_text(openstack(line, cloud.environment))
            print(line)


if __name__ == "__main__":
    main()
