"""The program's first lines: a Ctrl-C that comes while the rest is still being imported ends it without a traceback.

Effects: the disposition of SIGINT. Everything else is ``nebulactl.main``.
"""

from __future__ import annotations

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)

from nebulactl import main as program  # noqa: E402


def main() -> None:
    """Run nebulactl with ``sys.argv``; never returns."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    program.main()


if __name__ == "__main__":
    main()
