"""``python -m tests.reachability [--seed S] [--count N] [--no-shrink]``: random topologies against the oracle.

Effects: starts itself once more inside namespaces of its own, as the tests of ``tests/netns`` do.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys

from tests.netns import sandbox


def main() -> int:
    """0: all agree, 1: some do not, 2: it cannot run here."""
    parser = argparse.ArgumentParser(prog="python -m tests.reachability", description=__doc__)
    parser.add_argument(
        "--seed", type=_natural, default=secrets.randbelow(1 << 20), help="the first seed (default: any)"
    )
    parser.add_argument("--count", type=_natural, default=200, help="how many seeds (default 200)")
    parser.add_argument("--no-shrink", action="store_true", help="do not look for the smallest disagreeing topology")
    asked = parser.parse_args()
    if os.environ.get("NEBULA_SANDBOX"):
        from tests.reachability.run import run

        return 1 if run(range(asked.seed, asked.seed + asked.count), shrink=not asked.no_shrink) else 0
    if asked.count < 1:
        parser.error("--count: at least 1")
    print(f"seeds {asked.seed} to {asked.seed + asked.count - 1}; again: SEED={asked.seed} N={asked.count}", flush=True)
    reason = sandbox.missing()
    if reason:
        print(f"reachability: {reason}", file=sys.stderr)
        return 2
    words = ["--seed", str(asked.seed), "--count", str(asked.count), *(["--no-shrink"] if asked.no_shrink else [])]
    argv = sandbox.argv(sys.executable, "-m", "tests.reachability", *words)
    return subprocess.run(argv, check=False, env={**os.environ, **sandbox.environment()}).returncode


def _natural(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 to 999999999")
    return int(text)


sys.exit(main())
