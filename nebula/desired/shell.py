"""A change as the shell lines that a person would type for it.

Pure text; nothing here is ever run by the agent, which talks to the kernel and OVS directly. Every line runs in
``bash`` as it stands, in the order of the changes, and everything in it is quoted. Where Nebula's own action is finer
(an atomic bundle of flows, a file renamed into place) the lines come to the same result.
"""

from __future__ import annotations

import posixpath
import shlex
from typing import assert_never

import msgspec

from nebula.desired.diff import Change
from nebula.desired.kinds import (
    Address,
    Bridge,
    BridgePort,
    Chain,
    ConfigFile,
    FdbEntry,
    Flow,
    KernelObject,
    LocalVlan,
    Namespace,
    Offload,
    Process,
    Route,
    Ruleset,
    Sysctl,
    VethPair,
    VxlanDevice,
)
from nebula.desired.openflow import flow_identity, flow_line
from nebula.ids import BR_INT, Owner
from nebula.view.report import Action

OWNER_KEY = "nebula-owner"
"""Key in ``external_ids`` of a Bridge or Port that holds the owner's mark."""
VLAN_KEY = "nebula-vlan-"
"""Prefix of the keys in br-int's ``external_ids`` that hold local VLANs."""

LOADED = "loaded"
"""Name of the note, beside a daemon's pid file, that holds what its files held when it read them last."""

_FEATURES = {
    Offload.ALL: ("tx", "on", "tx-udp-segmentation", "on"),
    Offload.TCP: ("tx", "on", "tx-udp-segmentation", "off", "tx-checksum-sctp", "off"),
    Offload.NONE: ("tx", "off"),
}
"""Arguments of ``ethtool -K DEVICE``."""
_OFCTL = ("ovs-ofctl", "-O", "OpenFlow14", "--names")


def command(change: Change) -> str:
    """One or more shell lines, without a newline at the end."""
    subject = change.subject
    if change.action is Action.REMOVE:
        return "\n".join(_remove(subject))
    if is_reload(change) and isinstance(subject, Process):
        return "\n".join((*_note_loaded(subject), f'kill -HUP "$(cat {shlex.quote(subject.pid_file)})"'))
    if change.action is Action.CHANGE and change.before is not None and _must_be_remade(change.before, subject):
        return "\n".join((*_remove(change.before), *_put(subject, exists=False)))
    return "\n".join(_put(subject, exists=change.action is Action.CHANGE))


def is_reload(change: Change) -> bool:
    """True where a daemon only has to read its files again: before and after differ in ``reload_on`` alone."""
    before, after = change.before, change.after
    if not isinstance(before, Process) or not isinstance(after, Process) or before.reload_on == after.reload_on:
        return False
    return msgspec.structs.replace(before, reload_on=after.reload_on) == after


def _must_be_remade(before: KernelObject, after: KernelObject) -> bool:
    match before, after:
        case VethPair(), VethPair():
            return (before.peer_namespace, before.peer_name) != (after.peer_namespace, after.peer_name)
        case VxlanDevice(), VxlanDevice():
            return (before.vni, before.vtep_ip) != (after.vni, after.vtep_ip)
        case BridgePort(), BridgePort():
            return (before.bridge, before.type) != (after.bridge, after.type)
        case Process(), Process():
            return True
        case _:
            return False


def _put(item: KernelObject, *, exists: bool) -> tuple[str, ...]:  # noqa: PLR0911, PLR0912 - one branch per kind
    match item:
        case Namespace():
            made = () if exists else (_line("ip", "netns", "add", item.name),)
            return (*made, _line("ip", "-n", item.name, "link", "set", "lo", "up", "alias", item.owner.mark))
        case VethPair():
            return _put_veth(item, exists=exists)
        case Address():
            return (_line("ip", "-n", item.namespace, "address", "replace", item.cidr, "dev", item.device),)
        case Route():
            return (_route("replace", item),)
        case Sysctl():
            return (_inside(item.namespace, "sysctl", "-q", "-w", f"{item.name}={item.value}"),)
        case Ruleset():
            return (_with_input(_inside(item.namespace, "iptables-restore"), item.text),)
        case Chain():
            return (_with_input("iptables-restore --noflush", chain_text(item, jump=not exists)),)
        case VxlanDevice():
            return _put_vxlan(item, exists=exists)
        case FdbEntry():
            verb = "append" if item.mac_address == item.FLOOD else "replace"
            return (_line("bridge", "fdb", verb, item.mac_address, "dev", item.device, "dst", item.vtep_ip),)
        case Bridge():
            return _put_bridge(item)
        case BridgePort():
            return _put_bridge_port(item)
        case LocalVlan():
            return (
                _line(*_OFCTL, "ct-flush-zone", BR_INT, str(item.tag)),
                _line("ovs-vsctl", "set", "Bridge", BR_INT, f"external_ids:{VLAN_KEY}{item.network_id}={item.tag}"),
            )
        case Flow():
            return (_line(*_OFCTL, "add-flow", item.bridge, flow_line(item)),)
        case ConfigFile():
            folder = _line("mkdir", "-p", posixpath.dirname(item.path))
            return (folder, _with_input(f"cat > {shlex.quote(item.path)}", item.content))
        case Process():
            return _start(item)
        case _:
            assert_never(item)


def _remove(item: KernelObject) -> tuple[str, ...]:  # noqa: PLR0911, PLR0912 - one branch per kind
    match item:
        case Namespace():
            return (_line("ip", "netns", "delete", item.name),)
        case VethPair():
            return (_line("ip", "link", "delete", item.name),)
        case Address():
            return (_line("ip", "-n", item.namespace, "address", "delete", item.cidr, "dev", item.device),)
        case Route():
            return (_route("delete", item),)
        case Sysctl():
            return (f"# {item.name} of {item.namespace} stays as it is: it goes with its namespace",)
        case Ruleset():
            tables = [line[1:] for line in item.text.splitlines() if line.startswith("*")]
            return tuple(_inside(item.namespace, "iptables", "-t", table, "-F") for table in tables)
        case Chain():
            lines = ("*mangle", f"-D {item.jump}", f"-F {item.name}", f"-X {item.name}", "COMMIT")
            return (_with_input("iptables-restore --noflush", "\n".join(lines) + "\n"),)
        case VxlanDevice():
            return (_line("ip", "link", "delete", item.name),)
        case FdbEntry():
            return (_line("bridge", "fdb", "delete", item.mac_address, "dev", item.device, "dst", item.vtep_ip),)
        case Bridge():
            if item.adopt:
                return (f"# bridge {item.name} stays: it is not ours",)
            return (_line("ovs-vsctl", "--if-exists", "del-br", item.name),)
        case BridgePort():
            where = (item.bridge,) if item.bridge else ()  # '': a port whose device was replaced
            return (_line("ovs-vsctl", "--if-exists", "del-port", *where, item.name),)
        case LocalVlan():
            return (_line("ovs-vsctl", "remove", "Bridge", BR_INT, "external_ids", f"{VLAN_KEY}{item.network_id}"),)
        case Flow():
            return (_line(*_OFCTL, "--strict", "del-flows", item.bridge, flow_identity(item)),)
        case ConfigFile():
            return (_line("rm", "-f", item.path),)
        case Process():
            return (f'kill "$(cat {shlex.quote(item.pid_file)})"',)
        case _:
            assert_never(item)


def _put_veth(item: VethPair, *, exists: bool) -> tuple[str, ...]:
    mtu, mark = str(item.mtu_bytes), item.owner.mark
    space, peer = item.peer_namespace, item.peer_name
    if exists:
        lines = [
            _line("ip", "link", "set", item.name, "mtu", mtu),
            _line("ip", "-n", space, "link", "set", peer, "mtu", mtu, "address", item.peer_mac_address),
        ]
    else:
        near = ("ip", "link", "add", item.name, "mtu", mtu, "type", "veth")
        far = ("peer", "name", peer, "mtu", mtu, "address", item.peer_mac_address, "netns", space)
        lines = [_line(*near, *far)]
    lines.append(_line("ip", "link", "set", item.name, "alias", mark, "addrgenmode", "none"))
    lines.append(_line("ip", "-n", space, "link", "set", peer, "alias", mark, "addrgenmode", "none"))
    lines.append(_inside(space, "ethtool", "-K", peer, *_FEATURES[item.offload]) + " > /dev/null")
    lines.append(_line("ip", "-n", space, "link", "set", peer, "up"))
    lines.append(_line("ip", "link", "set", item.name, "up"))
    return tuple(lines)


def chain_text(item: Chain, *, jump: bool) -> str:
    """Input of ``iptables-restore --noflush``: the chain's rules anew, and the jump to it as INPUT's first rule."""
    lines = ["*mangle", f":{item.name} - [0:0]", *(f"-A {item.name} {rule}" for rule in item.rules)]
    lines += [f"-I {item.jump}"] if jump else []
    return "\n".join((*lines, "COMMIT")) + "\n"


def _put_vxlan(item: VxlanDevice, *, exists: bool) -> tuple[str, ...]:
    mtu = ("mtu", str(item.mtu_bytes))
    options = ("id", str(item.vni), "dstport", "4789", "local", item.vtep_ip, "nolearning")
    made = _line("ip", "link", "add", item.name, *mtu, "type", "vxlan", *options)
    lines = [_line("ip", "link", "set", item.name, *mtu) if exists else made]
    lines.append(_line("ip", "link", "set", item.name, "alias", item.owner.mark, "addrgenmode", "none"))
    return (*lines, _line("ip", "link", "set", item.name, "up"))


def _route(verb: str, item: Route) -> str:
    destination = "default" if item.destination == "0.0.0.0/0" else item.destination
    family = ("-6",) if ":" in item.destination else ()
    argv = ["ip", *family, "-n", item.namespace, "route", verb, destination]
    hops = [(*(("via", hop.via) if hop.via is not None else ()), "dev", hop.device) for hop in item.hops]
    if len(hops) == 1:
        return _line(*argv, *hops[0], "proto", "static")
    return _line(*argv, "proto", "static", *(word for hop in hops for word in ("nexthop", *hop)))


def _put_bridge(item: Bridge) -> tuple[str, ...]:
    if item.adopt:
        return (f"# bridge {item.name} is there and not ours: used as it is",)
    columns = (f"datapath_type={item.datapath_type}", f"fail_mode={item.fail_mode}", _owner(item.owner))
    made = ("ovs-vsctl", "--may-exist", "add-br", item.name)
    lines = [_line(*made, "--", "set", "Bridge", item.name, *columns)]
    if item.tables:
        argv = ["ovs-vsctl"]
        for number, name in item.tables:
            argv += ["--", f"--id=@t{number}", "create", "Flow_Table", f"name={name}"]
        flow_tables = ",".join(f"{number}=@t{number}" for number, _name in item.tables)
        lines.append(_line(*argv, "--", "set", "Bridge", item.name, f"flow_tables={flow_tables}"))
    if item.fragments:
        lines.append(_line(*_OFCTL, "set-frags", item.name, item.fragments))
    return tuple(lines)


def _put_bridge_port(item: BridgePort) -> tuple[str, ...]:
    argv = ["ovs-vsctl", "--may-exist", "add-port", item.bridge, item.name]
    argv += ["--", "set", "Port", item.name, _owner(item.owner)]
    argv.append(f"tag={item.tag}" if item.tag is not None else "tag=[]")
    columns = [f"type={item.type}"] if item.type else []
    columns += [f"options:{key}={_atom(value)}" for key, value in item.options]
    columns += [f"external_ids:iface-id={item.iface_id}"] if item.iface_id else []
    if columns:
        argv += ["--", "set", "Interface", item.name, *columns]
    return (_line(*argv),)


def _start(item: Process) -> tuple[str, ...]:
    folder = _line("mkdir", "-p", posixpath.dirname(item.pid_file))
    folder = "\n".join((folder, *_note_loaded(item)))
    if "-f" in item.argv:  # udhcpc in the foreground; dnsmasq leaves the terminal by itself
        quiet = "< /dev/null > /dev/null 2>&1"
        return (folder, f"{_inside(item.namespace, 'setsid', '--fork', *item.argv)} {quiet}")
    return (folder, _inside(item.namespace, *item.argv))


def _note_loaded(item: Process) -> tuple[str, ...]:
    """The note of what the daemon has read, by which the agent sees later whether it must read again."""
    if not item.reload_on:
        return ()
    note = posixpath.join(posixpath.dirname(item.pid_file), LOADED)
    return (f"{_line('cat', *item.reload_on)} > {shlex.quote(note)}",)


def _owner(owner: Owner) -> str:
    return f"external_ids:{OWNER_KEY}={_atom(owner.mark)}"


def _atom(value: str) -> str:
    """A string of OVSDB's as ovs-vsctl reads it whatever is in it: a JSON string."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _line(*argv: str) -> str:
    return shlex.join(argv)


def _inside(namespace: str, *argv: str) -> str:
    return _line("ip", "netns", "exec", namespace, *argv)


def _with_input(line: str, text: str) -> str:
    """The line with the text as standard input: a here-document, or none for an empty text."""
    if not text:
        return f"{line} < /dev/null"
    if not text.endswith("\n"):
        return f"printf %s {shlex.quote(text)} | {line}"
    end = "EOF"
    while f"{end}\n" in text:
        end += "_"
    return f"{line} << '{end}'\n{text}{end}"
