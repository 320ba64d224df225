"""Text of flows as ``ovs-ofctl`` reads it.

Pure. The text that it prints is read by ``nebula.compile.pipeline.dump``.
"""

from __future__ import annotations

from nebula.desired.kinds import Flow


def flow_identity(flow: Flow) -> str:
    """Table, priority and match: what makes a flow this one. For ``del-flows --strict`` and ``delete_strict``."""
    match = f",{flow.match}" if flow.match else ""
    return f"table={flow.table},priority={flow.priority}{match}"


def flow_line(flow: Flow) -> str:
    """The whole flow. For ``add-flow``, ``add-flows`` and ``replace-flows``, with ``--names``."""
    return f"cookie={flow.cookie:#x},{flow_identity(flow)} actions={flow.actions}"
