"""The node as the agent holds it: edges, drivers in their order, and the facts that compile needs.

Effects: opens the edges. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from nebula.compile.facts import Facts
from nebula.desired.diff import Change
from nebula.desired.order import RANK
from nebula.ids import Host, Owner, OwnerKind, PortId
from nebula.view.report import Plug
from nebula_agent.drivers import openvswitch
from nebula_agent.drivers.address import AddressDriver
from nebula_agent.drivers.chain import ChainDriver
from nebula_agent.drivers.config_file import ConfigFileDriver
from nebula_agent.drivers.driver import Driver
from nebula_agent.drivers.flow import FlowDriver
from nebula_agent.drivers.kernel import Kernel
from nebula_agent.drivers.namespace import NamespaceDriver
from nebula_agent.drivers.openvswitch import OpenVSwitchDriver
from nebula_agent.drivers.process import ProcessDriver
from nebula_agent.drivers.route import RouteDriver
from nebula_agent.drivers.ruleset import RulesetDriver
from nebula_agent.drivers.sysctl import SysctlDriver
from nebula_agent.drivers.veth import VethDriver
from nebula_agent.drivers.vxlan import VxlanDriver
from nebula_agent.edge import files, ioctl
from nebula_agent.edge.datapath import choose_datapath, choose_vxlan_devices
from nebula_agent.edge.ovsdb import Ovsdb
from nebula_agent.edge.ovsdb_rows import OvsState
from nebula_agent.edge.vxlan import takes_unsegmented
from nebula_agent.edge.watch import Watch
from nebula_agent.reconcile import Reconciler
from nebula_agent.settings import Settings

_CLIENT_SCRIPT = "udhcpc.script"


class Node:
    """Edges and drivers of this node. Raises NebulaError where Open vSwitch does not answer."""

    def __init__(
        self, settings: Settings, *, with_ovs: bool = True, applied: Callable[[Change], None] | None = None
    ) -> None:
        """``with_ovs`` False: without what is in Open vSwitch (for cleaning up where it does not run)."""
        self._settings = settings
        self.state_folder = Path(settings.state_dir)
        self.watch = Watch()
        self.kernel = Kernel(self.watch)
        self.ovsdb = Ovsdb(Path(settings.socket_path())) if with_ovs else None
        self.datapath_type = choose_datapath(settings.datapath_type)
        self._flows: FlowDriver | None = None
        self._processes = ProcessDriver(self.kernel, self.watch)
        self.vxlan_devices = choose_vxlan_devices(settings.overlay, self.datapath_type)
        self.kernel.root.refresh()  # for the facts; the drivers look for themselves
        self._vxlan = VxlanDriver(self.kernel, self.watch)
        self.reconciler = Reconciler(self._drivers(), applied=applied)

    @property
    def run_folder(self) -> Path:
        """Where Open vSwitch's sockets are."""
        return Path(self._settings.socket_path()).parent

    @property
    def vtep_ip(self) -> str:
        return self._settings.vtep_ip

    def pids(self) -> dict[str, int]:
        """Numbers of our daemons by name, as they were seen last."""
        return self._processes.pids()

    def foreign_flows(self, bridge: str) -> Iterator[str]:
        """Flows of a bridge that do not bear our mark, as they are printed. Raises CommandFailed."""
        if self._flows is not None:
            yield from self._flows.foreign(bridge)

    def _drivers(self) -> list[Driver]:
        kernel, owner = self.kernel, Owner(OwnerKind.NODE, self._settings.host)
        drivers: list[Driver] = [
            NamespaceDriver(kernel),
            RulesetDriver(kernel),
            SysctlDriver(kernel),
            ChainDriver(kernel),
            VethDriver(kernel),
            self._vxlan,
            AddressDriver(kernel),
            RouteDriver(kernel),
        ]
        if self.ovsdb is not None:
            self._flows = FlowDriver(self.ovsdb, self.run_folder, self.watch)
            drivers += [OpenVSwitchDriver(self.ovsdb, kernel, self.run_folder), self._flows]
        drivers += [ConfigFileDriver(self.state_folder, owner), self._processes]
        return sorted(drivers, key=lambda driver: max(RANK[kind] for kind in driver.kinds))

    @property
    def client_script(self) -> Path:
        """The DHCP client's script, in the state folder: /run may be mounted ``noexec``."""
        return self.state_folder / _CLIENT_SCRIPT

    def install_client_script(self) -> None:
        """Put the script there where it is not yet, or another."""
        content = Path(__file__).with_name(_CLIENT_SCRIPT).read_bytes()
        if not self.client_script.exists() or self.client_script.read_bytes() != content:
            files.write(self.client_script, content, mode=0o755)

    def facts(self) -> Facts:
        """The node's facts as OVS has them now."""
        settings = self._settings
        facts = Facts(
            host=Host(settings.host),
            datapath_type=self.datapath_type,
            vtep_ip=settings.vtep_ip,
            state_folder=settings.state_dir,
            dhcp_client_script=str(self.client_script),
            bridge_mappings=settings.mappings(),
            vxlan_devices=self.vxlan_devices,
        )
        if self.ovsdb is None:
            return facts
        state = self.ovsdb.state()
        return msgspec.structs.replace(
            facts,
            local_vlans=openvswitch.local_vlans(state),
            plugged=openvswitch.plugged(state, ioctl.link_exists),
            foreign_bridges=openvswitch.foreign_bridges(state),
            segmentation_offload=self._segmentation_offload(state),
        )

    def _segmentation_offload(self, state: OvsState) -> bool:
        """Whether ovs-vswitchd runs with it: it reads the setting only at its start, and makes its bridges' TAP devices
        accordingly. Before it has made one, the setting itself must do.
        """
        links = self.kernel.root.links
        for bridge in sorted(state.bridges):
            if bridge in links and links[bridge].kind == "tun":
                return takes_unsegmented(links[bridge].info)
        return state.segmentation_offload

    def tunnel_device(self, underlay: str) -> str:
        """The device that the tunnels' packets cross. ``underlay``: that of the VTEP address.

        OVS's userspace tunnels pass by a bridge's own device and go straight to its port.
        """
        if self.ovsdb is None or self.vxlan_devices or self.datapath_type != "netdev":
            return underlay
        return openvswitch.uplink(self.ovsdb.state(), underlay) or underlay

    def plugs(self) -> tuple[Plug, ...]:
        """What something else has plugged into br-int."""
        if self.ovsdb is None:
            return ()
        return tuple(
            Plug(PortId(port), device) for port, device in openvswitch.plugged(self.ovsdb.state(), ioctl.link_exists)
        )

    def close(self) -> None:
        """Close the edges; nothing on the node changes."""
        self._vxlan.close()
        self.kernel.close()
        if self.ovsdb is not None:
            self.ovsdb.close()
