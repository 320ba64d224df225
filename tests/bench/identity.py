"""Identity alone: tokens by password, and their validation, over real sockets."""

from __future__ import annotations

import time
from collections.abc import Callable

from nebula_controller.identity.passwords import hash_password, password_matches
from nebula_runtime.http import Client

from tests.bench.controller import Load, controller, cpu_ms, milliseconds, together
from tests.bench.figures import Figure, quantile, quantiles


def figures() -> list[Figure]:
    """A login beside the hash alone; validations by one client and by eight."""
    found: list[Figure] = []
    with controller() as it:
        client = Client(it.url)
        it.login(client)
        hashed = hash_password(it.password)
        hashes, logins = [], []
        for _ in range(25):  # in turns: a busy moment of the machine meets both
            hashes.append(milliseconds(lambda: password_matches(it.password, hashed)))
            logins.append(milliseconds(lambda: it.login(client)))
        hash_ms, login_ms = quantile(hashes, 0.5), quantile(logins, 0.5)
        found += [
            Figure("the password's hash alone", "ms", tuple(hashes)),
            Figure("token by password", "ms", tuple(logins), "", "257"),
            Figure("token by password, without the hash, p50", "ms", (login_ms - hash_ms,), "3"),
        ]
        spent = cpu_ms(it.pid)
        for _ in hashes:
            it.login(client)
        figure = "token by password, without the hash: the controller's processor time"
        hashing = milliseconds_of_cpu(lambda: [password_matches(it.password, hashed) for _ in hashes])
        found.append(Figure(figure, "ms", ((cpu_ms(it.pid) - spent - hashing) / len(hashes),), "3"))
        one = Load(it, "GET", "/identity/v3/auth/tokens", X_Subject_Token=it.token)
        one.times(50)
        times = one.times(2000)
        found += [
            *quantiles("GET /v3/auth/tokens, one client", times, "2", "18"),
            Figure("GET /v3/auth/tokens, one client", "1/s", (1000 * len(times) / sum(times),), "", "50"),
        ]
        eight = [Load(it, "GET", "/identity/v3/auth/tokens", X_Subject_Token=it.token) for _ in range(8)]
        times, per_second = together(eight, 500)
        found += quantiles("GET /v3/auth/tokens, eight clients", times)
        found.append(Figure("GET /v3/auth/tokens, eight clients", "1/s", (per_second,), "1000", "50"))
    return found


def milliseconds_of_cpu(action: Callable[[], object]) -> float:
    """This process's processor time."""
    started_at = time.process_time()
    action()
    return (time.process_time() - started_at) * 1000
