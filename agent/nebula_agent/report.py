"""What goes to the controller: the node's report as a heartbeat, and receipts in order.

Effects: a thread with one HTTP connection. Receipts wait while the controller is away; when too many wait they are
dropped, and the next one tells all port statuses anew.
"""

from __future__ import annotations

import collections
import logging
import sys
import threading
import time
from collections.abc import Callable
from urllib.parse import quote

import msgspec
from nebula_runtime.http import Response
from nebula_runtime.log import event

from nebula.errors import NebulaError
from nebula.view.joining import CertificateAnswer, RenewRequest
from nebula.view.report import NodeReport, Receipt
from nebula_agent import certificate_request
from nebula_agent.access import Access, refusal
from nebula_agent.edge.run import run
from nebula_agent.identity import Identity

_log = logging.getLogger(__name__)

_MOST_RECEIPTS = 1000
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_DEFAULT_HEARTBEAT_S = 5.0


class Registration(msgspec.Struct, frozen=True):
    """The controller's answer to a report. ``renew``: the node's certificate shall be renewed now. ``authorities``:
    digest of what the node shall trust, which comes with a renewal.
    """

    epoch: str
    heartbeat_s: float = _DEFAULT_HEARTBEAT_S
    renew: bool = False
    authorities: str = ""


class Reporter:
    """Sends the newest report and all receipts."""

    def __init__(self, access: Access, host: str, on_loss: Callable[[], None]) -> None:
        """``on_loss``: called, from another thread, when the controller may not know our ports' statuses."""
        self._access = access
        self._client = access.client(timeout_s=10.0)
        self._path = f"/nebula/v1/nodes/{quote(host, safe='')}"
        self._headers = {**access.headers, "Content-Type": "application/json"}
        self._on_loss = on_loss
        self._condition = threading.Condition()
        self._report: NodeReport | None = None
        self._report_due_s = 0.0
        self._receipts: collections.deque[Receipt] = collections.deque()
        self._stopped = False
        self._epoch = ""
        self._refused = 0
        self._thread = threading.Thread(target=self._run, name="report", daemon=True)

    @property
    def waiting(self) -> int:
        """Receipts that the controller has not taken yet."""
        return len(self._receipts)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def report(self, report: NodeReport) -> None:
        """Send this report at once, and then at each heartbeat."""
        with self._condition:
            self._report = report
            self._report_due_s = 0.0
            self._condition.notify()

    def receipt(self, receipt: Receipt) -> None:
        """Send the receipt after those that wait."""
        with self._condition:
            lost = len(self._receipts) >= _MOST_RECEIPTS
            if lost:
                self._receipts.clear()
            self._receipts.append(receipt)
            self._condition.notify()
        if lost:
            event(_log, logging.ERROR, "receipts dropped: the controller is away for too long", count=_MOST_RECEIPTS)
            self._on_loss()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Send what waits, for at most ``timeout_s``, and end."""
        with self._condition:
            self._stopped = True
            self._condition.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._client.close()

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            report, receipt = self._next()
            if report is None and receipt is None:
                return
            try:
                if report is not None:
                    self._send_report(report)
                elif receipt is not None:
                    self._send_receipt(receipt)
                pause_s = _FIRST_PAUSE_S
            except NebulaError as error:
                level = logging.WARNING if pause_s == _FIRST_PAUSE_S else logging.DEBUG
                event(_log, level, "the controller takes no report", error=str(error), again_in_s=pause_s)
                with self._condition:
                    if self._stopped:
                        return
                    self._report_due_s = 0.0
                    self._condition.wait_for(lambda: self._stopped, pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _next(self) -> tuple[NodeReport | None, Receipt | None]:
        with self._condition:
            while True:
                now_s = time.monotonic()
                if self._report is not None and now_s >= self._report_due_s and not self._stopped:
                    return self._report, None
                if self._receipts:
                    return None, self._receipts[0]
                if self._stopped:
                    return None, None
                self._condition.wait(max(0.0, self._report_due_s - now_s) if self._report is not None else None)

    def _send_report(self, report: NodeReport) -> None:
        answer = self._send("PUT", self._path, msgspec.json.encode(report))
        registration = Registration("")
        if answer.status == 200:
            try:
                registration = msgspec.json.decode(answer.body, type=Registration)
                self._refused = 0
            except ValueError as error:
                event(_log, logging.ERROR, "the controller's answer to a report is not understood", error=str(error))
        elif answer.status != self._refused:
            self._refused = answer.status
            event(
                _log, logging.ERROR, "the controller refuses the report", status=answer.status, answer=refusal(answer)
            )
        epoch = registration.epoch
        changed = bool(epoch and self._epoch and epoch != self._epoch)
        self._epoch = epoch or self._epoch
        with self._condition:
            if self._report is report:
                self._report_due_s = time.monotonic() + registration.heartbeat_s
        if changed:
            self._on_loss()
        if self._access.identity is not None:
            self._renew(self._access.identity, registration)

    def _renew(self, identity: Identity, told: Registration) -> None:
        """Where it is time, get a newer certificate, of a new key, over a connection that shows the present one;
        connections from then on show it."""
        try:
            if not told.renew and (not told.authorities or identity.trusts(told.authorities)):
                return
            program = (sys.executable, "-P", "-m", certificate_request.__name__, identity.joined.host)
            key, begin, request = run(program).partition(certificate_request.BEGIN)
            body = msgspec.json.encode(RenewRequest(begin + request))
            answer = self._send("POST", f"{self._path}/certificate", body)
            if answer.status != 200:
                raise NebulaError(refusal(answer))
            renewed = msgspec.json.decode(answer.body, type=CertificateAnswer)
            identity.renewed(key, renewed.certificate, renewed.authorities, renewed.expires_at_s)
        except (NebulaError, ValueError) as error:
            event(_log, logging.ERROR, "the certificate is not renewed", error=str(error))
        else:
            event(_log, logging.INFO, "certificate renewed", expires_at_s=renewed.expires_at_s)

    def _send_receipt(self, receipt: Receipt) -> None:
        answer = self._send("POST", f"{self._path}/receipts", msgspec.json.encode(receipt))
        if answer.status not in (200, 204):
            event(_log, logging.ERROR, "the controller refuses a receipt", status=answer.status, answer=refusal(answer))
            self._on_loss()
        with self._condition:
            if self._receipts and self._receipts[0] is receipt:
                self._receipts.popleft()

    def _send(self, method: str, path: str, body: bytes) -> Response:
        answer = self._client.request(method, path, headers=self._headers, body=body)
        if answer.status >= 500:
            raise NebulaError(f"the controller answers {answer.status} to {method} {path}")
        return answer
