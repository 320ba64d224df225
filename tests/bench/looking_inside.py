"""What ``tests.bench.looking`` runs inside private namespaces: ``looking_inside PORTS``; prints JSON."""

from __future__ import annotations

import json
import sys
import time

from nebula_agent.answers import Answers
from nebula_agent.node import Node
from nebula_agent.settings import Settings
from nebula_agent.source import Cache
from nebula_agent.turn import Turns

from nebula.ids import Host
from nebula.view.question import Ask, Question
from tests.bench.node_inside import Agent, node_folder, view

RUNS = 3


def main(count: int) -> dict[str, float]:
    """A node with so many ports, made by an agent; then what an audit of it takes, everything read anew."""
    folder = node_folder()
    agent = Agent(folder)
    wanted = view(count, 2)
    agent.show(wanted)
    agent.stop()
    node = Node(Settings(host="bench", view_file="-", vtep_ip="10.201.0.2", datapath_type="netdev"))
    turns = Turns(node, Cache(folder / "no-view.json"), "bench", lambda _receipt: None)
    turns.view = wanted
    answers = Answers(node, turns, Host("bench"))
    found: dict[str, float] = {}
    for number in range(RUNS):
        began = time.perf_counter()
        answer = answers.answer(Question(number, Ask.AUDIT))
        found[f"audit_s_{number}"] = time.perf_counter() - began
        found["objects"], found["differences"] = answer.objects, len(answer.differences)
    node.close()
    return found


print(json.dumps(main(int(sys.argv[1]))))
