"""What ``tests.bench.node`` runs inside private namespaces: ``node_idle PORTS SECONDS``; prints JSON.

An agent with nothing to do: heartbeats, long polls of a stand-in for the controller, a full look at the node every
minute, and a scrape of its metrics every 15 s, as Prometheus does.
"""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

from nebula.view import codec
from tests.bench.figures import pss_mib
from tests.bench.node_inside import AGENT, node_folder, view

METRICS = "127.0.0.1:9698"
SCRAPE_S = 15


class Handler(http.server.BaseHTTPRequestHandler):
    """Takes every report; has one view, then none that is newer."""

    protocol_version = "HTTP/1.1"
    body = b""
    receipts = 0

    def do_GET(self) -> None:
        questions = "/questions" in self.path
        if questions or self.headers.get("If-None-Match"):
            time.sleep(30)
            self._send(200 if questions else 304, b"[]" if questions else b"")
        else:
            self._send(200, Handler.body, ETag='"x"')

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._send(200, b'{"epoch": "0b0f2f5e-6d0a-4a58-9d3d-0a1b2c3d4e5f", "heartbeat_s": 5}')

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        Handler.receipts += 1
        self._send(204, b"")

    def _send(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments: object) -> None:
        """Quiet."""


def main(count: int, seconds: float) -> dict[str, float]:
    folder = node_folder()
    Handler.body = codec.encode(view(count, 2))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    secret = folder / "secret"
    secret.touch(mode=0o600)
    secret.write_text("s3cret")
    argv = [str(AGENT), "--host", "bench", "--controller", f"http://127.0.0.1:{server.server_address[1]}"]
    argv += ["--node-secret-file", str(secret), "--vtep-ip", "10.201.0.2", "--datapath-type", "netdev"]
    with (folder / "agent.log").open("wb") as log:
        agent = subprocess.Popen([*argv, "--metrics-listen", METRICS], stdout=log, stderr=log)
    try:
        end = time.monotonic() + 120
        while not Handler.receipts:
            if agent.poll() is not None or time.monotonic() > end:
                raise RuntimeError((folder / "agent.log").read_text()[-2000:])
            time.sleep(0.1)
        time.sleep(5)
        before, began = _cpu_s(agent.pid), time.monotonic()
        while time.monotonic() - began < seconds:
            with urllib.request.urlopen(f"http://{METRICS}/metrics", timeout=10) as answer:
                scraped = answer.read()
            time.sleep(SCRAPE_S)
        used_s, took_s = _cpu_s(agent.pid) - before, time.monotonic() - began
        return {
            "idle_percent": 100 * used_s / took_s,
            "idle_mib": pss_mib(agent.pid),
            "series": sum(1 for line in scraped.splitlines() if not line.startswith(b"#")),
        }
    finally:
        agent.terminate()
        agent.wait(timeout=30)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), float(sys.argv[2]))))
