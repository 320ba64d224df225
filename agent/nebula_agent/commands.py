"""What ``nebula-agent`` does: run, plan, clean.

Effects: all of the agent's.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import resource
import shlex
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from nebula_runtime.config import host_and_port
from nebula_runtime.daemon import notify, pid_file
from nebula_runtime.log import event

from nebula.compile.node import compile_node
from nebula.desired.diff import Change
from nebula.desired.shell import command
from nebula.desired.state import EMPTY
from nebula.errors import ConfigError, NebulaError, Unavailable
from nebula.ids import Host
from nebula.view.capability import missing
from nebula.view.records import NodeView
from nebula.view.report import NodeReport, Plug, Receipt, Result
from nebula_agent import checks
from nebula_agent.access import Access, find_access
from nebula_agent.answers import Answers
from nebula_agent.backlog import Backlog
from nebula_agent.capabilities import probe
from nebula_agent.captures import Captures
from nebula_agent.edge import files, netns
from nebula_agent.loop import Loop, log_start
from nebula_agent.metrics import AgentMetrics
from nebula_agent.node import Node
from nebula_agent.questions import Questions
from nebula_agent.report import Reporter
from nebula_agent.settings import Settings, check_running
from nebula_agent.source import Cache, ControllerSource, FileSource, Source, decode
from nebula_agent.turn import Turns
from nebula_agent.unjoined import access_once_joined
from nebula_agent.upcalls import UpcallCheck
from nebula_agent.warm import Warmth

_SCRIPT_HEAD = """#!/bin/bash -e
# The whole state of node {host}, {count} objects, by hand: what nebula-agent makes of revision {revision} of its view.
# For a node with Open vSwitch on which nothing of it is there yet, run as root. The lines below a comment make one
# object; the comment says what it is and for which object of the API."""
_log = logging.getLogger(__name__)

_OFFLOAD = (
    "ovs-vsctl set Open_vSwitch . other_config:userspace-tso-enable=true, and restart ovs-vswitchd "
    "(Debian: systemctl restart openvswitch-switch)"
)


def run(settings: Settings, version: str, applied: Callable[[Change], None] | None) -> int:
    """The daemon, once the node has joined. Returns at SIGTERM; the dataplane stays as it is.

    Raises NebulaError at the start.
    """
    check_running(settings)
    checks.check_machine()
    with pid_file(Path(settings.pid_file)):
        access = access_once_joined(settings)
        if access is not None and (trouble := access.trouble()):
            event(_log, logging.ERROR, trouble)
        _raise_file_limit()
        gc.set_threshold(100_000)  # compile makes records by the thousand, none of them in cycles: 26 ms become 18
        netns.ensure_folder()
        node = Node(settings, applied=applied)
        try:
            _serve(settings, version, access, node)
        finally:
            node.close()
    return 0


def _serve(settings: Settings, version: str, access: Access | None, node: Node) -> None:
    assert node.ovsdb is not None
    state = node.ovsdb.state()
    userspace = node.datapath_type == "netdev"
    userspace_tunnels = userspace and not node.vxlan_devices
    underlay = checks.check_underlay(settings.vtep_ip, state, through_ovs=userspace_tunnels)
    node.install_client_script()
    cache = _cache(settings)
    reporter: Reporter | None = None

    metrics = AgentMetrics(settings.host, version, node.datapath_type)

    def send(receipt: Receipt) -> None:
        if reporter is not None:
            reporter.receipt(receipt)

    turns = Turns(node, cache, settings.host, send, metrics)
    kept = cache.load()
    if kept is not None and kept.host == settings.host:
        turns.start_from(kept)
    report = _report(settings, version, node.datapath_type, underlay.mtu_bytes)

    def told_plugs(plugs: tuple[Plug, ...]) -> None:
        if reporter is not None:
            reporter.report(msgspec.structs.replace(report, plugged=plugs))

    switch_pid_file = Path(settings.socket_path()).with_name("ovs-vswitchd.pid")
    warmth = Warmth(settings.vtep_ip) if userspace_tunnels else None
    captures = Captures(access, Host(settings.host)) if access is not None else None
    answers = Answers(node, turns, Host(settings.host), captures, underlay.device)
    loop = Loop(
        node,
        turns,
        warmth,
        told_plugs,
        answers=answers,
        upcalls=None if userspace else UpcallCheck(switch_pid_file),
        backlog=Backlog(switch_pid_file) if userspace else None,
    )
    questions: Questions | None = None
    source: Source
    if access is not None and captures is not None:
        reporter = Reporter(access, settings.host, loop.statuses_lost)
        reporter.start()
        reporter.report(msgspec.structs.replace(report, plugged=node.plugs()))
        source = ControllerSource(access, settings.host, loop.deliver, metrics)
        questions = Questions(access, settings.host, captures.prepared(loop.ask))
        questions.start()
    else:
        source = FileSource(Path(settings.view_file), node.watch, loop.deliver)
    metrics.more = lambda: _look(metrics, answers, access, reporter)
    log_start(
        host=settings.host,
        version=version,
        datapath_type=node.datapath_type,
        overlay="kernel" if node.vxlan_devices else "ovs",
        vtep=f"{settings.vtep_ip} on {underlay.device}",
        underlay_mtu_bytes=underlay.mtu_bytes,
        ovs=state.version,
        kept_revision=kept.revision if kept is not None else 0,
        capabilities=",".join(report.capabilities),
    )
    _warn(report, offload=not userspace or node.facts().segmentation_offload)
    notify("READY=1\nSTATUS=")
    try:
        with _given_out(settings, metrics):
            loop.run(source)
    finally:
        notify("STOPPING=1")
        for link in (questions, captures, reporter):
            if link is not None:
                link.stop()
        event(_log, logging.INFO, "nebula-agent stopped: the dataplane stays as it is")


@contextlib.contextmanager
def _given_out(settings: Settings, metrics: AgentMetrics) -> Iterator[None]:
    """To Prometheus meanwhile, where that is wanted. ConfigError where the address cannot be had."""
    if not settings.metrics_listen:
        yield
        return
    from nebula_runtime.metrics_server import MetricsServer

    server = MetricsServer(host_and_port("--metrics-listen", settings.metrics_listen), metrics.collect)
    server.start()
    try:
        yield
    finally:
        server.stop()


def _look(metrics: AgentMetrics, answers: Answers, access: Access | None, reporter: Reporter | None) -> None:
    metrics.paused.set(answers.paused)
    if reporter is not None:
        metrics.waiting.set(reporter.waiting)
    if access is not None and access.identity is not None:
        metrics.expiry.set(access.identity.joined.expires_at_s)


def plan(settings: Settings, *, script: bool = False) -> int:
    """Print the next pass's changes as shell lines; ``script``: all that builds the node's state by hand.

    Raises NebulaError.
    """
    checks.check_machine()
    view = _view_for_plan(settings)
    node = Node(settings)
    try:
        desired = compile_node(view, node.facts())
        observed = EMPTY if script else node.reconciler.observe(desired)
        changes = node.reconciler.changes(desired, observed)
    finally:
        node.close()
    if script:
        print(_SCRIPT_HEAD.format(host=settings.host, revision=view.revision, count=len(changes)))
    else:
        print(f"# {settings.host}: {len(changes)} changes to revision {view.revision}; nothing has been changed")
    if changes and (script or not node.client_script.exists()):
        source = Path(__file__).with_name(node.client_script.name)
        print(f"\n# the DHCP client's script\n{shlex.join(['install', '-D', str(source), str(node.client_script)])}")
    for change in changes:
        print(f"\n# {change.action} {change.key.kind} for {change.subject.owner.kind} {change.subject.owner.id}")
        print(command(change))
    return 0


def clean(settings: Settings) -> int:
    """Remove all that is ours. Raises NebulaError; 1 where something could not be removed."""
    checks.check_machine()
    with pid_file(Path(settings.pid_file)):
        _raise_file_limit()
        missing = ""
        try:
            node = Node(settings)
        except Unavailable as error:
            missing = error.message
            node = Node(settings, with_ovs=False)
        try:
            observed = node.reconciler.observe(EMPTY)
            result = node.reconciler.apply(EMPTY, node.reconciler.changes(EMPTY, observed))
        finally:
            node.close()
        _cache(settings).forget()
        files.remove(node.client_script)
        for name in ("dhcp", "udhcpc"):
            _remove_empty(node.state_folder / name)
    _remove_empty(node.state_folder)
    _remove_empty(Path(settings.run_dir))
    failed = [record for record in result.changes if record.result is not Result.DONE]
    for record in failed:
        print(f"nebula-agent: {record.kind} {record.name}: {record.error}", file=sys.stderr)
    if missing:
        print(f"nebula-agent: bridges, ports and flows are not cleaned: {missing}", file=sys.stderr)
    print(f"removed {len(result.changes) - len(failed)} objects")
    return 1 if failed or missing else 0


def _view_for_plan(settings: Settings) -> NodeView:
    if settings.view_file:
        try:
            view = decode(Path(settings.view_file).read_bytes(), settings.view_file)
        except OSError as error:
            raise ConfigError(f"cannot read {settings.view_file}: {error.strerror}") from error
    else:
        view = _view_from_controller(settings) or _cache(settings).load()
    if view is None:
        raise ConfigError("there is no view: the controller does not answer, and no view is kept on this node")
    return view


def _view_from_controller(settings: Settings) -> NodeView | None:
    try:
        access = find_access(settings)
        if access is None:
            return None
        path = f"/nebula/v1/nodes/{settings.host}/view?wait=0"
        answer = access.client(timeout_s=5.0).request("GET", path, headers=access.headers)
    except NebulaError as error:
        event(_log, logging.WARNING, "the view kept on this node is used", error=error.message)
        return None
    return decode(answer.body, "the controller") if answer.status == 200 else None


def _cache(settings: Settings) -> Cache:
    return Cache(Path(settings.state_dir) / "view.json")


def _warn(report: NodeReport, *, offload: bool) -> None:
    """Say what this machine lacks, and what follows."""
    for part, consequence in missing(report.capabilities).items():
        event(_log, logging.WARNING, f"this node lacks {part}: {consequence}")
    if not offload:
        event(_log, logging.WARNING, "TCP is slow here: ovs-vswitchd runs without segmentation offload", do=_OFFLOAD)


def _report(settings: Settings, version: str, datapath_type: str, mtu_bytes: int) -> NodeReport:
    return NodeReport(
        host=Host(settings.host),
        version=version,
        started_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        datapath_type=datapath_type,
        vtep_ip=settings.vtep_ip,
        underlay_mtu_bytes=mtu_bytes,
        roles=settings.roles(),
        bridge_mappings={item.physical_network: item.bridge for item in settings.mappings()},
        capabilities=probe(datapath_type),
    )


def _raise_file_limit() -> None:
    """Each namespace of ours takes a few descriptors."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return
