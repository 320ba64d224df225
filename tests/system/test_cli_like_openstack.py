"""nebulactl makes things in a real controller, and prints of them what the real ``openstack`` client prints."""

from __future__ import annotations

import re
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
    "project create --parent admin --tag a --tag b --property colour=red --description d child",
    "project set --remove-tag b --no-immutable child",
    "group create --domain Default class",
    "group create --or-show class",
    "user create --password pa55word --ignore-password-expiry --description d pupil",
    "group add user --group-domain Default class pupil",
    "role create --description d tutor",
    "role set --name mentor tutor",
    "role add --project child --project-domain Default --group class --group-domain Default reader",
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
    "quota list --network",
    "availability zone list --network",
    "availability zone list --network --long -f json",
    "extension list --network --long -f csv",
    "extension show quotas",
    "network agent list",
    "network service provider list",
    "network qos rule type show bandwidth_limit -f json",
    "project list --parent admin",
    "project list --tags a --long",
    "project list --user admin --sort name:desc",
    "project show --parents child -f json",
    "user list --group class --long",
    "group list --user pupil",
    "role show mentor",
    "role assignment list --inherited",
    "role assignment list --project child --names",
    "catalog list",
    "catalog show network",
    "versions show",
    "versions show --all-interfaces -f csv",
    "versions show --service network --status current -f json",
    "versions show --region-name nope",
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
    "project delete --domain Default child",
    "user delete pupil",
    "group delete class",
    "role delete mentor",
)


@pytest.fixture
def controller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Controller]:
    made = Controller(tmp_path, "--password-hash-rounds=4")  # each of the client's calls logs in
    for name, value in made.environment(REGION_NAME="").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yield made
    made.stop()


NETWORK_BEFORE = (
    "network create net",
    "subnet create four --network net --subnet-range 10.0.0.0/24",
    "subnet create six --network net --subnet-range 2001:db8::/64 --ip-version 6",
    "router create alpha",
    "router create bravo",
    "router add subnet alpha four",
    "port create second --network net --fixed-ip subnet=four",
    "router add port bravo second",
    "network qos policy create alpha",
    "network qos policy create bravo",
)
NETWORK_TWINS = (
    (
        "network qos rule create {n} --type bandwidth-limit --max-kbps 1000 --max-burst-kbits 800 --egress",
        (
            "network qos rule set alpha {id} --max-kbps 2000",
            "= network qos rule show alpha {id}",
            "= network qos policy show alpha -f json",
            "= network qos rule list alpha",
            "= network qos rule list alpha -f json",
            "- network qos rule delete alpha {id}",
        ),
    ),
    (
        "network qos rule create {n} --type dscp-marking --dscp-mark 46",
        ("= network qos rule show alpha {id} -f json", "= network qos rule list alpha -f value"),
    ),
    ("network qos rule create {n} --type minimum-bandwidth --min-kbps 5 --ingress", ()),
    ("network qos rule create {n} --type minimum-packet-rate --min-kpps 5 --any", ()),
    ("network qos rule type list", ()),
    ("ip availability list", ()),
    ("ip availability list --ip-version 6 -f json", ()),
    ("ip availability show net", ()),
    ("ip availability show net -f json", ()),
    ("network agent list --network net", ()),
    ("network agent list --router {n} --long", ()),
    ("router add route {n} --route destination=10.9.0.0/16,gateway=10.0.0.9", ()),
    ("router remove route {n} --route destination=10.9.0.0/16,gateway=10.0.0.9 -f json", ()),
)


IDENTITY_BEFORE = (
    "role create alpha",
    "role create bravo",
    "role create other",
    "service create --name designate dns",
    "registered limit create --service designate --default-limit 5 alpha",
    "registered limit create --service designate --default-limit 5 bravo",
)
IDENTITY_TWINS = (
    (
        "application credential create {n} --secret s --role reader --expiration 2999-01-01T00:00:00 --description d",
        (
            "= application credential list",
            "= application credential list -f json",
            "= application credential show alpha",
            "- application credential delete alpha",
        ),
    ),
    (
        "application credential create {n}2 --secret s --role admin --role reader --unrestricted -f json",
        ("- application credential delete alpha2",),
    ),
    (
        "ec2 credentials create",
        (
            "= ec2 credentials list",
            "= ec2 credentials show {id} -f json",
            "= ec2 credentials show {id} --user admin",
            "- ec2 credentials delete {id}",
        ),
    ),
    (
        "implied role create {n} --implied-role other",
        ("= implied role list", "- implied role delete alpha --implied-role other"),
    ),
    (
        "registered limit create --service designate --region RegionOne --default-limit 7 --description d {n}",
        (
            "registered limit set {id} --default-limit 8",
            "= registered limit set {id} --description e",
            "= registered limit list",
            "= registered limit show {id}",
            "- registered limit delete {id}",
        ),
    ),
    (
        "limit create --project admin --service designate --resource-limit 3 {n}",
        (
            "= limit set {id} --resource-limit 4 --description d",
            "= limit list",
            "= limit list --resource-name alpha -f json",
            "= limit show {id}",
            "- limit delete {id}",
        ),
    ),
    (
        "credential create admin {n} --type totp",
        (
            "credential set {id} --user admin --type totp --data alpha",
            "= credential list --type totp",
            "= credential show {id}",
            "- credential delete {id}",
        ),
    ),
    (
        "policy create {n}.json",
        (
            "policy set {id} --rules alpha.json --type text/plain",
            "= policy list",
            "= policy list --long",
            "= policy show {id} -f json",
            "- policy delete {id}",
        ),
    ),
)


def test_both_say_the_same(controller: Controller, capsys: pytest.CaptureFixture[str]) -> None:
    """Lists and details of every kind read the same in both, whatever of names, columns and formats."""
    for line in MADE:
        assert run(line.split()) == 0, line + capsys.readouterr().err
    capsys.readouterr()
    ours = {}
    for line in SHOWN:
        assert run(line.split()) == 0, line + capsys.readouterr().err
        ours[line] = said_lines(capsys.readouterr().out, controller.url)
    assert ours == _theirs(controller, list(SHOWN))
    for line in REMOVED:
        assert run(line.split()) == 0, line + capsys.readouterr().err
    assert "R2" not in controller.openstack("region list -f json")[0][0].values()


def _theirs(controller: Controller, lines: list[str]) -> dict[str, list[str]]:
    """What the real client says, by command."""
    said: dict[str, list[str]] = {}
    for answer in play(controller, "\n".join(f"$ openstack {line}" for line in lines)).splitlines():
        if answer.startswith("$ openstack "):
            command = answer.removeprefix("$ openstack ")
            said[command] = []
        elif answer:
            said[command].append(answer)
    return said


def _compare(
    controller: Controller,
    capsys: pytest.CaptureFixture[str],
    before: tuple[str, ...],
    twins: tuple[tuple[str, tuple[str, ...]], ...],
) -> None:
    """Each twin is said by nebulactl of ``alpha`` and by the client of ``bravo``; then further lines of the one made.

    ``{id}`` is its id. After ``= `` both say the line, after ``- `` nebulactl alone and last; the rest is said at once.
    """

    def say(line: str) -> list[str]:
        assert run(line.split()) == 0, line + capsys.readouterr().err
        return said_lines(capsys.readouterr().out, controller.url)

    for line in before:
        say(line)
    ours, last, both = {}, [], []
    for line, further in twins:
        assert run(line.format(n="alpha").split()) == 0, line + capsys.readouterr().err
        said = capsys.readouterr().out
        ours[line.format(n="bravo")] = said_lines(said, controller.url)
        found = re.search(r"^\| (?:id|ID|access) +\| (\S+)", said, re.MULTILINE)
        for step in further:
            command = step.removeprefix("= ").removeprefix("- ").format(id=found[1] if found else "no id")
            if step.startswith("- "):
                last.append(command)
            elif step.startswith("= "):
                both.append(command)
            else:
                say(command)
    shown = {command: say(command) for command in both}
    theirs = _theirs(controller, [*shown, *ours])
    assert {command: theirs[command] for command in shown} == shown
    for command, said_of_alpha in ours.items():
        assert said_of_alpha == [answer.replace("bravo", "alpha") for answer in theirs[command]], command
    for command in last:
        say(command)


def test_both_say_the_same_of_qos_rules_agents_and_addresses(
    controller: Controller, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the calls themselves print, and what has no name but only an id."""
    _compare(controller, capsys, NETWORK_BEFORE, NETWORK_TWINS)


def test_both_say_the_same_of_credentials_limits_and_policies(
    controller: Controller, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets are printed where the client prints them; the controller's log has none of them."""
    monkeypatch.chdir(tmp_path)
    for name in ("alpha", "bravo"):
        Path(f"{name}.json").write_text(f'["{name}"]\n')
    _compare(controller, capsys, IDENTITY_BEFORE, IDENTITY_TWINS)
    assert run(["application", "credential", "create", "z", "--secret", "very-well-kept"]) == 0
    assert "very-well-kept" in capsys.readouterr().out
    assert run(["application", "credential", "show", "z"]) == 0
    assert "very-well-kept" not in capsys.readouterr().out
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and b"very-well-kept" in path.read_bytes()]
    assert kept == []
