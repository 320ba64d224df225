"""What both daemons tell Prometheus, read by its own parser; the dashboard and the alerts ask for nothing else."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from nebula_agent.metrics import AgentMetrics
from nebula_agent.reconcile import Pass
from nebula_controller.api.context import internal
from nebula_controller.metrics import ControllerMetrics
from nebula_runtime.metrics import Counter, Family, Gauge, Histogram, exposition
from nebula_runtime.metrics_server import MetricsServer
from prometheus_client.parser import text_string_to_metric_families
from southbound_world import World, node_report

from nebula.desired.kinds import Flow, Key
from nebula.desired.state import node_state
from nebula.errors import ConfigError
from nebula.ids import Host, Owner, OwnerKind, PortId
from nebula.view.report import Action, ChangeRecord, PortStatus, Reason, Receipt, Result

ROOT = Path(__file__).resolve().parents[2]
WATCHING = ROOT / "deb/watching"
_WORDS = re.compile(r"\b(?:nebula|process)_[a-z_]+\b")


def _samples(text: bytes) -> dict[str, dict[tuple[str, ...], float]]:
    """Values by name and label values, as Prometheus understands them."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_the_format_is_prometheus_own() -> None:
    """Counters, gauges and histograms, with labels that need escapes, come back as they went in."""
    counter, gauge = Counter("c_total", "Of c.", ("what",)), Gauge("g", "Of g.")
    histogram = Histogram("h_seconds", "Of h.", ("way",), bounds_s=(0.1, 1, 10))
    odd = 'a "quoted" \\ name\nof two lines'
    counter.add(odd, amount=2)
    counter.add(odd)
    gauge.set(0.25)
    for seconds in (0.05, 0.1, 5, 60):
        histogram.observe(seconds, "up")
    found = _samples(exposition([counter, gauge, histogram]))
    assert found["c_total"] == {(odd,): 3}
    assert found["g"] == {(): 0.25}
    assert found["h_seconds_bucket"] == {("up", "0.1"): 2, ("up", "1"): 2, ("up", "10"): 3, ("up", "+Inf"): 4}
    assert (found["h_seconds_count"], found["h_seconds_sum"]) == ({("up",): 4}, {("up",): pytest.approx(65.15)})


def test_the_server_gives_out_metrics_alone() -> None:
    """/metrics; 404 elsewhere; 503 where they cannot be collected, and it goes on; a taken port is said."""
    answers: Iterator[Any] = iter([b"a 1\n", RuntimeError("no"), b"a 2\n"])

    def collect() -> bytes:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return bytes(answer)

    server = MetricsServer(("127.0.0.1", 0), collect)
    server.start()
    url = f"http://127.0.0.1:{server.port}"
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=5) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert answer.read() == b"a 1\n"
        for path, status in (("/", 404), ("/metrics", 503)):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(url + path, timeout=5)
            assert refused.value.code == status
        with urllib.request.urlopen(f"{url}/metrics", timeout=5) as answer:
            assert answer.read() == b"a 2\n"
        with pytest.raises(ConfigError, match="cannot give metrics on 127"):
            MetricsServer(("127.0.0.1", server.port), collect)
    finally:
        server.stop()


def test_an_agents_passes_are_counted() -> None:
    """Causes, ends, durations; drift apart; ports by status, flows by bridge."""
    metrics = AgentMetrics("n1", "0.1", "netdev")
    owner = Owner(OwnerKind.NODE, "n1")
    done = ChangeRecord(Action.ADD, "flow", "f", owner, "", Result.DONE, 0.0)
    failed = msgspec.structs.replace(done, kind="veth", result=Result.FAILED)
    metrics.passed(Reason.START, Pass((done, failed), {Key("veth", "v"): "no"}), 0.2, 7)
    metrics.passed(Reason.DRIFT, Pass((done,), {}), 0.02, 8)
    metrics.not_passed(Reason.VIEW, "held")
    metrics.desired = node_state([Flow("br-int", 0, 1, "", "drop", owner), Flow("br-tun", 0, 1, "", "drop", owner)])
    metrics.statuses = {
        PortId(name): PortStatus(PortId(name), status) for name, status in (("a", "ACTIVE"), ("b", "ERROR"))
    }
    found = _samples(metrics.collect())
    assert found["nebula_agent_passes_total"] == {
        ("start", "incomplete"): 1,
        ("drift", "clean"): 1,
        ("view", "held"): 1,
    }
    assert found["nebula_agent_pass_duration_seconds_count"] == {("start",): 1, ("drift",): 1}
    assert found["nebula_agent_changes_total"] == {("flow", "add", "done"): 2, ("veth", "add", "failed"): 1}
    assert found["nebula_agent_drift_changes_total"] == {("flow",): 1}
    assert found["nebula_agent_flows"] == {("br-int",): 1, ("br-tun",): 1}
    assert found["nebula_agent_ports"] == {("ACTIVE",): 1, ("ERROR",): 1}
    assert (found["nebula_agent_held"], found["nebula_agent_applied_revision"]) == ({(): 1}, {(): 8})
    assert found["nebula_agent_info"] == {("n1", "0.1", "netdev"): 1}
    assert found["process_resident_memory_bytes"][()] > 1e6


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_the_controller_knows_its_nodes(world: World) -> None:
    """Up and down, lag from a view that waits to the receipt that it was acted on, ports by status, changes."""
    metrics = ControllerMetrics("0.1", world.wall)
    realised = world.southbound.realised
    world.node("n1", 1)
    world.node("n2", 2)
    world.port(world.network(), "n1")
    view = world.southbound.views.current(Host("n1"))
    assert view is not None

    def scraped() -> dict[str, dict[tuple[str, ...], float]]:
        return _samples(metrics.collect(world.database, realised))

    behind = scraped()
    assert behind["nebula_node_lag_seconds"][("n1",)] > 0
    assert behind["nebula_node_lag_seconds"][("n2",)] == 0  # nobody has asked for its view yet
    change = ChangeRecord(Action.ADD, "flow", "f", Owner(OwnerKind.NODE, "n1"), "", Result.FAILED, 0.0)
    receipt = Receipt(Host("n1"), world.database.epoch, 0, view.revision, Reason.VIEW, "t", 0.1, (change,))

    async def take() -> None:
        realised.take(receipt)

    asyncio.run(take())
    metrics.took(receipt)
    metrics.answered("network", "GET", 200, 0.004)
    metrics.answered("nodes", "GET", 304, 30.0)
    world.later(20)
    world.southbound.registry.report(_origin(), node_report("n2", 2))
    world.southbound.registry.sweep()
    found = scraped()
    assert found["nebula_node_up"] == {("n1",): 0, ("n2",): 1}
    assert found["nebula_node_heartbeat_age_seconds"] == {("n1",): 20, ("n2",): 0}
    assert found["nebula_node_changes_total"] == {("n1", "view", "failed"): 1}
    assert found["nebula_ports"] == {("DOWN",): 1}
    assert found["nebula_objects"] == {("network",): 1, ("router",): 0, ("server",): 0}
    assert found["nebula_api_requests_total"] == {("network", "GET", "200"): 1, ("nodes", "GET", "304"): 1}
    assert found["nebula_api_request_duration_seconds_count"] == {("network", "GET"): 1}
    assert found["nebula_database_size_bytes"][("database",)] > 4096


def test_the_list_of_nodes_says_how_they_are(world: World) -> None:
    """Health, lag and certificate, for administrators alone."""
    world.node("n1", 1)
    world.node("n2", 2)
    world.later(20)
    world.southbound.registry.report(_origin(), node_report("n2", 2))
    world.southbound.registry.sweep()
    found = {node["host"]: node for node in world.call("GET", "/nebula/v1/nodes", expect=200)["nodes"]}
    assert {host: (node["health"], node["up"], node["joined"]) for host, node in found.items()} == {
        "n1": ("down", False, "no"),
        "n2": ("ok", True, "no"),
    }
    assert (found["n2"]["version"], found["n2"]["datapath_type"], found["n1"]["heartbeat_age_s"]) == (
        "0.1",
        "netdev",
        20,
    )
    world.call("GET", "/nebula/v1/nodes", expect=403, headers={"X-Auth-Token": "member"})


def _origin() -> Any:
    return internal("test")


def _known() -> set[str]:
    families: list[Family] = [*AgentMetrics().families(), *ControllerMetrics("").families()]
    names = {family.name for family in families}
    for family in families:
        if isinstance(family, Histogram):
            names |= {f"{family.name}_{suffix}" for suffix in ("bucket", "sum", "count")}
    return names


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    """Every name in every query; so does the document, which names all of ours."""
    dashboard = json.loads((WATCHING / "nebula-dashboard.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    asked = {name for query in queries for name in _WORDS.findall(query)}
    assert len(queries) > 20
    assert asked - _known() == set()
    document = (ROOT / "docs/operations.md").read_text()
    told = set(_WORDS.findall(document))
    assert told - _known() - {"nebula_agent", "nebula_controller"} == set()
    families = [*AgentMetrics().families(), *ControllerMetrics("").families()]
    assert {family.name for family in families if family.name.startswith("nebula_")} - told == set()


def test_the_alerts_ask_for_metrics_that_there_are() -> None:
    """And each says what to do."""
    rules = [
        rule
        for group in yaml.safe_load((WATCHING / "nebula-alerts.yml").read_text())["groups"]
        for rule in group["rules"]
    ]
    assert {name for rule in rules for name in _WORDS.findall(rule["expr"])} - _known() == set()
    assert len(rules) >= 8 and all(rule["annotations"]["summary"] for rule in rules)
