"""Listen on a segment of the lab while something happens.

Effects: runs nebula_lab.listen in the lab's fabric; temporary files without a name.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from types import TracebackType

from nebula.capture.text import Packet
from nebula.errors import CommandFailed
from nebula_lab import Lab
from nebula_lab.command import environment
from nebula_lab.demo.pcap import read_capture
from nebula_lab.fabric import FABRIC

_READY_S = 10.0
_LAST_PACKETS_S = 0.3


class Capture:
    """``with Capture(lab, "underlay") as heard: ...``; afterwards ``heard.packets`` has all that was on it."""

    def __init__(self, lab: Lab, segment: str) -> None:
        self.segment = segment
        self.packets: list[Packet] = []
        self._argv = [sys.executable, "-m", "nebula_lab.listen", segment]
        self._line = lab.space(FABRIC).enter(self._argv, network_only=True)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115  closed in __exit__
        self._words = tempfile.TemporaryFile()  # noqa: SIM115
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Capture:
        self._child = subprocess.Popen(self._line, stdout=self._file, stderr=self._words, env=environment())
        end = time.monotonic() + _READY_S
        while b"listening" not in (words := self._said()):
            if self._child.poll() is not None or time.monotonic() > end:
                raise CommandFailed(self._argv, self._child.poll(), words.decode(errors="replace"))
            time.sleep(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is not None:
            if kind is None:
                time.sleep(_LAST_PACKETS_S)
            self._child.send_signal(signal.SIGINT)
            try:
                self._child.wait(5)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        self._file.seek(0)
        content = self._file.read()
        self._file.close()
        self._words.close()
        if kind is None:
            self.packets = read_capture(content)

    def _said(self) -> bytes:
        self._words.seek(0)
        return self._words.read()
