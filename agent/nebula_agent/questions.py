"""Questions of people, fetched from the controller by long poll, and the answers brought back.

Effects: a thread with one HTTP connection. The answer itself is found in the loop's thread, which alone touches the
node.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from urllib.parse import quote

import msgspec
from nebula_runtime.log import event

from nebula.errors import NebulaError
from nebula.view.question import NodeAnswer, Question
from nebula_agent.access import Access

_log = logging.getLogger(__name__)

_WAIT_S = 30
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_ANSWER_TIMEOUT_S = 60.0

Reply = Callable[[NodeAnswer], None]


class Questions:
    """``ask(question, reply)`` hands a question to the loop, which calls ``reply``."""

    def __init__(self, access: Access, host: str, ask: Callable[[Question, Reply], None]) -> None:
        self._client = access.client(timeout_s=_WAIT_S + 15.0)
        node = f"/nebula/v1/nodes/{quote(host, safe='')}"
        self._fetch, self._bring = f"{node}/questions?wait={_WAIT_S}", f"{node}/answers"
        self._headers = {**access.headers, "Content-Type": "application/json"}
        self._ask = ask
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="questions", daemon=True)

    def start(self) -> None:
        """Begin to ask for questions."""
        self._thread.start()

    def stop(self) -> None:
        """Fetch no more."""
        self._stopped.set()
        self._client.close()

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._stopped.is_set():
            try:
                for question in self._questions():
                    self._answer(question)
                pause_s = _FIRST_PAUSE_S
            except (NebulaError, ValueError) as error:
                if self._stopped.is_set():
                    return
                event(_log, logging.DEBUG, "no questions from the controller", error=str(error), again_in_s=pause_s)
                self._stopped.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _questions(self) -> list[Question]:
        answer = self._client.request("GET", self._fetch, headers=self._headers)
        if answer.status != 200:
            raise NebulaError(f"the controller answers {answer.status} to the wait for questions")
        return msgspec.json.decode(answer.body, type=list[Question])

    def _answer(self, question: Question) -> None:
        found: list[NodeAnswer] = []
        done = threading.Event()

        def reply(answer: NodeAnswer) -> None:
            found.append(answer)
            done.set()

        self._ask(question, reply)
        if done.wait(_ANSWER_TIMEOUT_S) and not self._stopped.is_set():
            self._client.request("POST", self._bring, headers=self._headers, body=msgspec.json.encode(found[0]))
