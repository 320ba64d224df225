"""A small HTTP proxy: ``vagrant_proxy.py PORT FOLDER``. It says what it is asked for, one line each, on its output.

Files of FOLDER are what it finds at http://packages.example/; everything else, TLS too, is beyond it (502).
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import urlsplit


class Proxy(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        """A file, or 404."""
        print("GET", self.path, flush=True)
        url = urlsplit(self.path)
        file = Path(sys.argv[2]) / Path(url.path).name
        if url.hostname != "packages.example":
            self.send_error(502)
        elif not file.is_file():
            self.send_error(404)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(file.stat().st_size))
            self.end_headers()
            self.wfile.write(file.read_bytes())

    def do_CONNECT(self) -> None:
        """The way to a server with TLS."""
        print("CONNECT", self.path, flush=True)
        self.send_error(502)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing more is said."""


HTTPServer(("127.0.0.1", int(sys.argv[1])), Proxy).serve_forever()
