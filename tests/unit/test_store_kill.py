"""``kill -9`` in the middle of writes leaves all of each call or nothing of it."""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
import time
from pathlib import Path

from nebula_controller.api.context import internal
from nebula_controller.network.service import network_service
from nebula_controller.network.settings import NetworkSettings
from nebula_controller.store.database import Database
from nebula_controller.store.tables import network as tables
from nebula_controller.store.tables.requests import request_objects, requests
from sqlalchemy import select

WRITER = """
import sys
from pathlib import Path
from nebula_controller.api.context import internal
from nebula_controller.network import ports
from nebula_controller.store.database import Database

database = Database(Path(sys.argv[1]))
made = []
told = False
while True:
    with database.write(internal("writer"), status=201) as tx:
        made.append(ports.create(tx, {"network_id": sys.argv[2], "project_id": "p"}).id)
    if not told:
        told = True
        print("ready", flush=True)
    if len(made) % 3 == 0:
        with database.write(internal("writer"), status=204) as tx:
            ports.delete(tx, made.pop(0))
"""


def test_kill_in_the_middle_of_writes(tmp_path: Path) -> None:
    """After each kill the file is sound, revisions and records agree, and each address is either a port's or free."""
    path = tmp_path / "x.sqlite"
    database = Database(path)
    network_service(database, NetworkSettings())
    network = _network_with_subnet(database)
    database.close()
    revisions = []
    for wait_s in (0.0, 0.05, 0.11, 0.17):
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        argv = [sys.executable, "-c", WRITER, str(path), network]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(wait_s)
            writer.kill()
        revisions.append(_check(path))
    assert revisions == sorted(revisions)
    assert revisions[-1] > 5


def _network_with_subnet(database: Database) -> str:
    from nebula_controller.network.networks_api import Networks
    from nebula_controller.network.subnets_api import Subnets

    context = internal("test")
    with database.write(context, status=201) as tx:
        network = Networks(database).create(tx, context, {"project_id": "p"})
        values = {"project_id": "p", "network_id": network.id, "cidr": "10.0.0.0/16", "ip_version": 4}
        Subnets(database).create(tx, context, values)
    return network.id


def _check(path: Path) -> int:
    database = Database(path)
    with database.read() as tx:
        run = tx.connection.exec_driver_sql
        assert run("PRAGMA integrity_check").scalar() == "ok"
        assert run("PRAGMA foreign_key_check").all() == []
        revision = tx.revision()
        recorded = sorted(tx.execute(select(requests.c.revision)).scalars())
        assert recorded == list(range(1, revision + 1))
        assert set(tx.execute(select(request_objects.c.revision)).scalars()) == set(recorded)
        with_address = sorted(tx.execute(select(tables.fixed_ips.c.port_id)).scalars())
        assert with_address == sorted(tx.execute(select(tables.ports.c.id)).scalars())
        taken = [int(ipaddress.ip_address(a)) for a in tx.execute(select(tables.fixed_ips.c.ip_address)).scalars()]
        free = [
            (int.from_bytes(first, "big"), int.from_bytes(last, "big"))
            for first, last in tx.execute(select(tables.free_addresses.c.first, tables.free_addresses.c.last))
        ]
    database.close()
    every = sorted(taken + [number for first, last in free for number in range(first, last + 1)])
    start = int(ipaddress.ip_address("10.0.0.2"))
    assert every == list(range(start, start + 2**16 - 3))
    return revision
