"""What is shipped for watching, with Debian's own Prometheus: alerts fire, and the dashboard's queries have answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.netns.lab_machine import Machine
from tests.system.joined_site import Site, metrics_of

_HERE = Path(__file__).parent / "watching"
_SHIPPED = _HERE.parents[2] / "deb/watching"
_KEPT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "nebula-tests/prometheus")
_RATE = "10s"
"""What Grafana puts for $__rate_interval: four scrapes, at least."""
_ASK = """
import json, sys, time, urllib.parse, urllib.request
def get(path, **query):
    url = f"http://127.0.0.1:9090/api/v1/{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.load(answer)["data"]
end, left = time.monotonic() + 60, json.load(sys.stdin)
while left and time.monotonic() < end:
    time.sleep(1)
    left = [query for query in left if not get("query", query=query)["result"]]
print(json.dumps({"left": left, "targets": get("targets")["activeTargets"], "rules": get("rules")["groups"]}))
"""


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:{_KEPT}")
    if found is None:
        pytest.skip(f"alerts and dashboard are NOT tested with a real Prometheus: there is no {name} (make watching)")
    return found


@pytest.fixture
def site() -> Iterator[Site]:
    if os.geteuid() != 0:
        pytest.skip("plays a whole machine, which needs root")
    machine = Machine()
    try:
        yield Site(machine)
    finally:
        machine.close()


def test_the_alerts_fire_and_are_silent() -> None:
    """promtool plays each alert's metrics, well and unwell; none is left out."""
    promtool = _program("promtool")
    for line in (
        ("check", "rules", str(_SHIPPED / "nebula-alerts.yml")),
        ("test", "rules", str(_HERE / "alerts_test.yml")),
    ):
        ended = subprocess.run((promtool, *line), capture_output=True, text=True, check=False, timeout=60)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    rules = yaml.safe_load((_SHIPPED / "nebula-alerts.yml").read_text())["groups"][0]["rules"]
    tests = yaml.safe_load((_HERE / "alerts_test.yml").read_text())["tests"]
    fire = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one["exp_alerts"]}
    assert fire == {rule["alert"] for rule in rules}


def test_the_dashboard_has_answers_from_a_real_prometheus(site: Site) -> None:
    """It scrapes the controller and two nodes, takes the rules, and each query of each panel parses and gives data."""
    prometheus = _program("prometheus")
    site.join("net1", site.first_token(), "network")
    site.join("compute1", site.first_token(), "compute")
    site.until(lambda: site.alive("net1") == site.alive("compute1") == {"True"})
    jobs = {"nebula-controller": ["127.0.0.1:9699"], "nebula-agent": [metrics_of("net1"), metrics_of("compute1")]}
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(_SHIPPED / "nebula-alerts.yml")],
        "scrape_configs": [{"job_name": job, "static_configs": [{"targets": of}]} for job, of in jobs.items()],
    }
    site.on("net1", "sh", "-c", 'echo "$1" > /run/prometheus.yml', "sh", json.dumps(config))
    argv = [prometheus, "--config.file=/run/prometheus.yml", "--storage.tsdb.path=/run/prometheus"]
    argv += ["--web.listen-address=127.0.0.1:9090"]
    site.on("net1", "sh", "-c", 'setsid --fork "$@" > /var/log/prometheus.log 2>&1', "sh", *argv)
    site.until(lambda: "Server is ready" in site.on("net1", "cat", "/var/log/prometheus.log"))
    site.ctl("network", "create", "n")
    site.ctl("subnet", "create", "s", "--network", "n", "--subnet-range", "192.168.50.0/24")
    site.ctl("instance", "create", "i", "--network", "n", "--node", "compute1", "--wait")
    site.on("compute1", "ovs-ofctl", "-O", "OpenFlow14", "del-flows", "br-tun")  # somebody works against the agent
    site.on("net1", "curl", "-s", "http://127.0.0.1:9696/network/v2.0/networks")  # ... and somebody has no token
    dashboard = json.loads((_SHIPPED / "nebula-dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    asked = json.dumps([query.replace("$__rate_interval", _RATE) for query in queries])
    line = ("sh", "-c", 'echo "$1" | python3 -c "$2"', "sh", asked, _ASK)
    found = json.loads(site.on("net1", *line))
    assert found["left"] == []
    assert {(one["labels"]["job"], one["health"]) for one in found["targets"]} == {(job, "up") for job in jobs}
    assert {rule["health"] for group in found["rules"] for rule in group["rules"]} == {"ok"}
