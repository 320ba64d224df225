"""nebulactl makes things in a real controller, and prints of them what the real ``openstack`` client prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from nebulactl.main import run
from openstack_cloud import Controller
from transcript import play, said_lines

MADE = (
    "region create R2 --description second",
    "service create --name designate --description names dns",
    "endpoint create --region R2 designate public http://192.0.2.1/dns",
    "network create net",
    "address group create office --description d --address 192.0.2.0/24",
    "address group set office --address 198.51.100.0/24",
    "address group unset office --address 192.0.2.0/24",
    "address scope create campus",
    "subnet pool create pool --pool-prefix 10.8.0.0/16 --default-prefix-length 24 --address-scope campus --tag a",
    "subnet create sub --network net --subnet-pool pool --prefix-length 26",
    "network rbac create --type network --action access_as_shared --target-project admin net",
    "network qos policy create gold --share --description d",
    "quota set admin --networks 5 --secgroup-rules 50",
)
SHOWN = (
    "region list",
    "region show R2",
    "endpoint list --service designate -f json",
    "endpoint list --interface admin --sort-column URL",
    "address group list",
    "address group show office -f json",
    "address scope list",
    "address scope show campus",
    "subnet pool list",
    "subnet pool list --long -f json",
    "subnet pool show pool",
    "subnet show sub -c cidr -c subnetpool_id -c ip_version",
    "network rbac list --long",
    "network qos policy list",
    "network qos policy show gold -f json",
    "quota show --network --usage admin",
    "availability zone list --network",
    "availability zone list --network --long -f json",
    "extension list --network -f csv",
    "extension show quotas",
    "network agent list",
)
REMOVED = (
    "quota delete admin --network",
    "network qos policy delete gold",
    "network delete net",
    "subnet pool delete pool",
    "address scope delete campus",
    "address group delete office",
    "service delete designate",
    "region delete R2",
)


@pytest.fixture
def controller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Controller]:
    made = Controller(tmp_path)
    for name, value in made.environment(REGION_NAME="").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yield made
    made.stop()


def test_both_say_the_same(controller: Controller, capsys: pytest.CaptureFixture[str]) -> None:
    """Lists and details of every kind read the same in both, whatever of names, columns and formats."""
    for line in MADE:
        assert run(line.split()) == 0, line + capsys.readouterr().err
    capsys.readouterr()
    ours, theirs = {}, {}
    for line in SHOWN:
        assert run(line.split()) == 0, line + capsys.readouterr().err
        ours[line] = said_lines(capsys.readouterr().out, controller.url)
    command = ""
    for answer in play(controller, "\n".join(f"$ openstack {line}" for line in SHOWN)).splitlines():
        if answer.startswith("$ openstack "):
            command = answer.removeprefix("$ openstack ")
            theirs[command] = []
        elif answer:
            theirs[command].append(answer)
    assert ours == theirs
    for line in REMOVED:
        assert run(line.split()) == 0, line + capsys.readouterr().err
    assert "R2" not in controller.openstack("region list -f json")[0][0].values()
