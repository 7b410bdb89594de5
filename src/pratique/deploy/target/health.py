"""Is the release healthy? Only a 200 from the very process that was started for it says so."""

from __future__ import annotations

import re
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from pratique.deploy.record import Health
from pratique.deploy.target.process import holder_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pratique.deploy.plan import DeploymentPlan, Service
    from pratique.deploy.target.service import ServiceHost

HOST: Final = "127.0.0.1"
MAX_RESPONSE: Final = 64 * 1024
_ATTEMPT_SECONDS: Final = 5.0
_BODY_SECONDS: Final = 0.2
_PAUSE_SECONDS: Final = 0.05
_HEALTHY: Final = 200
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r\n]")


class Checkup(msgspec.Struct, frozen=True):
    """What was found: the last answer, and what is wrong (nothing: healthy)."""

    health: Health
    problem: str = ""


def check_health(
    plan: DeploymentPlan,
    service: Service,
    host: ServiceHost,
    release: Path,
    *,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Checkup:
    """Ask until the service answers 200, it ends, somebody else answers, or its time is up.

    Raises:
        InfrastructureError: the pid file cannot be read.
    """
    url = f"http://{HOST}:{service.port}{service.health}"
    deadline = monotonic() + service.start_seconds
    status = attempts = 0
    while True:
        attempts += 1
        status = request_status(service.port, service.health, _ATTEMPT_SECONDS)
        # The order matters: who answered is settled after the answer, so it is not somebody who came since.
        strangers = host.strangers(service.port)
        if not host.is_at_work(plan, release):
            problem = f"the service has ended; its output is in {host.log}"
        elif strangers:
            problem = f"port {service.port} is answered by {holder_of(strangers)}, not by the release"
        else:
            problem = ""
        health = Health(url, status, attempts)
        if problem or status == _HEALTHY:
            return Checkup(health, problem)
        if monotonic() >= deadline:
            answer = f"answers {status}" if status else "does not answer"
            return Checkup(health, f"{url} {answer} after {service.start_seconds} s; see {host.log}")
        sleep(_PAUSE_SECONDS)


def request_status(port: int, path: str, seconds: float) -> int:
    """GET a path on the loopback interface, without following anything; 0 if no HTTP answer came in time.

    Args:
        port: TCP port.
        path: as it goes into the request line; has no blanks or control characters.
        seconds: for everything together, so that an answer by drips ends too.
    """
    deadline = time.monotonic() + seconds
    answer = bytearray()
    request = f"GET {path} HTTP/1.0\r\nHost: {HOST}:{port}\r\nUser-Agent: pratique\r\n\r\n"
    with suppress(OSError), socket.create_connection((HOST, port), timeout=seconds) as connection:
        connection.sendall(request.encode("ascii"))
        while len(answer) < MAX_RESPONSE and (left := deadline - time.monotonic()) > 0:
            connection.settimeout(left)
            chunk = connection.recv(4096)
            if not chunk:
                break
            answer += chunk
            if b"\r\n\r\n" in answer:  # the body is read only so that the service need not log a broken pipe
                deadline = min(deadline, time.monotonic() + _BODY_SECONDS)
    found = _STATUS_LINE.match(answer)
    return int(found.group(1)) if found else 0
