"""``python -m tests.bench [SECTION...]``: all figures of docs/performance.md, or some sections of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from tests.bench import api, capture, firewall, identity, joining, lab, looking, node, throughput, trace
from tests.bench.figures import Figure, machine, table

SECTIONS: dict[str, Callable[[], list[Figure]]] = {
    "identity": identity.figures,
    "api": api.figures,
    "lab": lab.figures,
    "node": node.figures,
    "joining": joining.figures,
    "firewall": firewall.figures,
    "throughput": throughput.figures,
    "trace": trace.figures,
    "capture": capture.figures,
    "looking": looking.figures,
}


def main(names: list[str]) -> int:
    unknown = set(names) - set(SECTIONS)
    if unknown:
        print(f"no section {', '.join(sorted(unknown))}; there are: {', '.join(SECTIONS)}", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    for name in names or SECTIONS:
        started_at = time.monotonic()
        print(f"{name} ...", file=sys.stderr, flush=True)
        figures += SECTIONS[name]()
        print(f"{name}: {time.monotonic() - started_at:.0f} s", file=sys.stderr, flush=True)
    print(machine())
    print()
    print(table(figures))
    return 0


sys.exit(main(sys.argv[1:]))
