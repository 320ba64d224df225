"""``python -m agent_trace FLAGS... < probe``: a packet's ways through a node, by the agent's own walk, as JSON.

Effects: reads of the node that it runs in; FLAGS are the agent's, with a view file.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
from nebula_agent import main
from nebula_agent.node import Node
from nebula_agent.tracing.site import Site
from nebula_agent.tracing.walk import Walk

from nebula.compile.node import compile_node
from nebula.trace.probe import Probe
from nebula.view import codec

if __name__ == "__main__":
    settings = main._settings(main._parser().parse_args(sys.argv[1:]))
    view = codec.decode(Path(settings.view_file).read_bytes())
    node = Node(settings)
    site = Site(node, compile_node(view, node.facts()), view)
    probe = msgspec.json.decode(sys.stdin.buffer.read(), type=Probe)
    sys.stdout.buffer.write(msgspec.json.encode(Walk(site, probe).ways()))
