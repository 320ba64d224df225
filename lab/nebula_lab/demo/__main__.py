"""``python -m nebula_lab.demo``: the case study in a lab of three nodes. Exit code 0 only if every check held."""

from __future__ import annotations

import argparse
import os
import sys

from nebula.errors import NebulaError
from nebula_lab import Lab, daemons, find_lab
from nebula_lab.demo.stage import Stage
from nebula_lab.demo.story import Story
from nebula_lab.folders import check_name
from nebula_lab.up import down, interrupted, on_signals, up

_LOG_LINES = 12


def main() -> int:
    """Run it; 0 when all held, 1 when not, 130 when interrupted."""
    parser = argparse.ArgumentParser(prog="python -m nebula_lab.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the lab up at the end")
    parser.add_argument("--name", default="nebula-demo", help="the lab's name")
    given = parser.parse_args()
    keep = given.keep or os.environ.get("KEEP", "") not in ("", "0")
    stage = Stage(given.name)
    try:
        check_name(given.name)
        with on_signals(interrupted):
            return 0 if _play(stage, given.name, keep) else 1
    except NebulaError as error:
        print(f"demo: {error.message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted", file=sys.stderr)
        return 130


def _play(stage: Stage, name: str, keep: bool) -> bool:
    stage.step(1, "A lab of three nodes and an outside world")
    if find_lab(name) is not None:
        stage.say(f"  A lab {name} is there from an earlier run: taking it down")
        down(name)
    stage.say(f"  $ nebulactl lab up --name {name} --nodes 3")
    lab, outcome = up(name, nodes=3, report=lambda text: stage.say(f"    {text}"))
    stage.say(f"  up after {outcome.seconds:.1f} s: {', '.join(lab.nodes)}; API {lab.endpoint}")
    kept = False
    try:
        story = Story(lab, stage)
        for number, title, step in story.steps():
            stage.step(number, title)
            try:
                step()
            except NebulaError as error:
                stage.failed(title, error.message)
                break
        held = stage.closing()
        if not held:
            _show_logs(stage, lab)
        if keep:
            kept = True
            _say_how_to_look(stage, name)
        return held
    finally:
        if not kept:
            stage.say(f"\n  $ nebulactl lab down --name {name}")
            down(name)


def _show_logs(stage: Stage, lab: Lab) -> None:
    """What the daemons complained about, before the lab goes."""
    logs = [daemons.controller_folder(lab.folder) / "controller.log"]
    logs += [daemons.node_folder(lab.folder, node) / "log/nebula/agent.log" for node in lab.nodes]
    for log in logs:
        lines = log.read_text(errors="replace").splitlines() if log.exists() else ["(no log)"]
        bad = [line for line in lines if " INFO " not in line]
        stage.show(str(log), bad[-_LOG_LINES:] or ["(no complaints)"])


def _say_how_to_look(stage: Stage, name: str) -> None:
    stage.show(
        "\nThe lab is still up. Look around:",
        [
            f"export NEBULA_LAB={name}",
            "nebulactl lab status",
            "nebulactl lab exec net1 -- ip netns",
            "nebulactl lab exec compute1 -- ovs-ofctl --names dump-flows br-int",
            "nebulactl lab exec fabric -- tshark -ni underlay",
            "nebulactl instance shell web",
            'eval "$(nebulactl lab env)"; openstack network list',
            "nebulactl lab down",
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
