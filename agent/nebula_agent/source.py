"""Where the node's view comes from: the controller by long poll, or a file; and the last one, kept on disk.

Effects: a thread with one HTTP connection, or an inotify watch; one file in the state folder. What is delivered is a
whole, decoded view; what does not decode is logged and not delivered.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from nebula_runtime.log import event

from nebula.errors import NebulaError
from nebula.view import codec
from nebula.view.records import NodeView
from nebula_agent.access import Access, refusal
from nebula_agent.edge import files, libc
from nebula_agent.edge.watch import Watch
from nebula_agent.metrics import AgentMetrics

_log = logging.getLogger(__name__)

_WAIT_S = 30
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0


class Source(Protocol):
    """Calls ``deliver`` with each new view, from whatever thread."""

    def start(self) -> None:
        """Begin to deliver."""

    def refetch(self) -> None:
        """Deliver again, also what has not changed."""

    def stop(self) -> None:
        """Deliver no more."""


class ControllerSource:
    """Long poll of the controller (``GET /nebula/v1/nodes/HOST/view``), with back-off while it is away."""

    def __init__(
        self, access: Access, host: str, deliver: Callable[[NodeView], None], metrics: AgentMetrics | None = None
    ) -> None:
        self._metrics = metrics or AgentMetrics()
        self._client = access.client(timeout_s=_WAIT_S + 15.0)
        self._path = f"/nebula/v1/nodes/{quote(host, safe='')}/view?wait={_WAIT_S}"
        self._access = access
        self._deliver = deliver
        self._etag = ""
        self._refused = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="view", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def refetch(self) -> None:
        self._etag = ""
        self._client.close()

    def stop(self) -> None:
        self._stopped.set()
        self._client.close()

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._stopped.is_set():
            try:
                answered = self._poll()
            except NebulaError as error:
                if self._stopped.is_set():
                    return
                level = logging.WARNING if pause_s == _FIRST_PAUSE_S else logging.DEBUG
                event(_log, level, "no view from the controller", error=error.message, again_in_s=pause_s)
                if level == logging.WARNING and (trouble := self._access.trouble(error)):
                    event(_log, logging.ERROR, trouble)
                answered = False
            if answered:
                pause_s = _FIRST_PAUSE_S
                self._metrics.contact()
            else:
                self._metrics.feed_errors.add()
                self._stopped.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _poll(self) -> bool:
        headers = dict(self._access.headers)
        if self._etag:
            headers["If-None-Match"] = self._etag
        answer = self._client.request("GET", self._path, headers=headers)
        if answer.status == 304:
            return True
        if answer.status != 200:
            if answer.status != self._refused:
                level = logging.DEBUG if answer.status == 404 else logging.WARNING  # 404: not registered yet
                event(_log, level, "the controller gives no view", status=answer.status, answer=refusal(answer))
            self._refused = answer.status
            return False
        self._refused = 0
        view = decode(answer.body, "the controller")
        if view is None:
            return False
        self._etag = answer.headers.get("etag", "")
        self._deliver(view)
        return True


class FileSource:
    """A file that holds a view, read again when it is written or replaced."""

    def __init__(self, path: Path, watch: Watch, deliver: Callable[[NodeView], None]) -> None:
        self._path = path.absolute()
        self._watch = watch
        self._deliver = deliver
        self._inotify = -1
        self._last = b""

    def start(self) -> None:
        self._inotify = libc.inotify({str(self._path.parent): libc.IN_CLOSE_WRITE | libc.IN_MOVED})
        self._watch.add(self._inotify, self._changed)
        self._read(again=False)

    def refetch(self) -> None:
        self._read(again=True)

    def stop(self) -> None:
        if self._inotify >= 0:
            self._watch.remove(self._inotify)
            os.close(self._inotify)
            self._inotify = -1

    def _changed(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._inotify, 1 << 16)
        self._read(again=False)

    def _read(self, *, again: bool) -> None:
        try:
            content = self._path.read_bytes()
        except OSError as error:
            event(_log, logging.WARNING, "no view in the file", path=str(self._path), error=error.strerror)
            return
        if content == self._last and not again:
            return
        self._last = content
        view = decode(content, str(self._path))
        if view is not None:
            self._deliver(view)


class Cache:
    """The last view that was acted on, so that the node comes back with the controller gone."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> NodeView | None:
        """The view, or None where there is none that can be read."""
        try:
            content = self._path.read_bytes()
        except OSError:
            return None
        return decode(content, str(self._path))

    def store(self, view: NodeView) -> bool:
        """Keep the view. False where that does not work, as on a full disk: logged, not fatal."""
        try:
            files.write(self._path, codec.encode(view), durable=True, mode=0o600)
        except OSError as error:
            event(_log, logging.ERROR, "cannot keep the view", path=str(self._path), error=error.strerror)
            return False
        return True

    def forget(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)


def decode(content: bytes, origin: str) -> NodeView | None:
    """A whole view, or None (logged)."""
    try:
        return codec.decode(content)
    except ValueError as error:
        event(_log, logging.ERROR, "not a view", origin=origin, error=str(error))
        return None
