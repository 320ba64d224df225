"""The web server behind the outside world: answers every GET with the address that it saw the client come from.

Effects: HTTP on one address. ``python -m nebula_lab.web HOST:PORT [--pid-file FILE] [--greeting TEXT]`` serves several
clients at once. With a greeting the answer is ``TEXT sees ADDRESS``.
"""

from __future__ import annotations

import argparse
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer


class _ClientAddress(BaseHTTPRequestHandler):
    server_version = "nebula-web"
    timeout = 10
    greeting = ""

    def do_GET(self) -> None:
        greeting = self.greeting and f"{self.greeting} sees "
        body = f"{greeting}{self.client_address[0]}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        sys.stdout.write(f"{self.client_address[0]} {format % args}\n")
        sys.stdout.flush()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def server_bind(self) -> None:
        """Bind without asking DNS for the address's name, which HTTPServer does and nobody here answers."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description="answers with the client's address")
    parser.add_argument("address", metavar="HOST:PORT")
    parser.add_argument("--pid-file", type=Path)
    parser.add_argument("--greeting", default="")
    given = parser.parse_args()
    host, _, port = given.address.rpartition(":")
    _ClientAddress.greeting = given.greeting
    server = _Server((host, int(port)), _ClientAddress)
    if given.pid_file is not None:
        given.pid_file.write_text(f"{os.getpid()}\n")
    server.serve_forever()


if __name__ == "__main__":
    main()
