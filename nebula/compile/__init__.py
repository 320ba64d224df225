"""Compile: from what a node must know to what shall exist on it. Pure."""

from nebula.compile.node import compile_node, unwired_ports

__all__ = ["compile_node", "unwired_ports"]
