"""Generated policies on both engines: the same denials, or an error where passing would be wrong.

OPA runs as one server, which takes and forgets a policy for each case. The run is the same each time, unless
`PRATIQUE_FUZZ_EXAMPLES=20000` asks for a longer and another one.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
import regorus
from hypothesis import HealthCheck, Phase, given, note, settings
from rego_policies import documents, policies

from pratique.policy.engine.rego_negation import CHECKED_MODULE
from pratique.policy.engine.rego_run import Policy, examine, first_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = os.environ.get("PRATIQUE_OPA", "")
EXAMPLES = os.environ.get("PRATIQUE_FUZZ_EXAMPLES", "")

# OPA refuses what the default engine takes: it has a type checker, and wants every declared variable used.
STRICTER = re.compile(r"rego_type_error|declared var \w+ unused")
# OPA may have seen before that another condition of the same rule does not hold.
FAILS_ALONE = re.compile(r"`some \.\. in collection` expects array/set/object")


class Server:
    """OPA as a server on a socket in a folder."""

    def __init__(self, folder: Path) -> None:
        self._path = str(folder / "opa.sock")
        options = ["--log-level", "error", "--skip-version-check"]
        self._process = subprocess.Popen(
            [PROGRAM, "run", "--server", "--addr", f"unix://{self._path}", *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._connection = http.client.HTTPConnection("localhost")
        self._connection.sock = socket.socket(socket.AF_UNIX)
        while True:
            with contextlib.suppress(OSError):
                self._connection.sock.connect(self._path)
                break
            assert self._process.poll() is None
            time.sleep(0.05)
        status, said = self._ask("PUT", "policies/checked", CHECKED_MODULE)
        assert status == http.client.OK, said

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        self._connection.close()

    def deny(self, source: str, document: dict[str, Any]) -> tuple[str, Any]:
        """Give the members of `data.fuzz.deny`, or what OPA has against it."""
        status, said = self._ask("PUT", "policies/fuzz", source)
        if status != http.client.OK:
            return "refused", json.dumps(said)
        try:
            path = "data/fuzz/deny?strict-builtin-errors=true"
            status, said = self._ask("POST", path, json.dumps({"input": document}))
            return ("members", said["result"]) if status == http.client.OK else ("failed", json.dumps(said))
        finally:
            self._ask("DELETE", "policies/fuzz", "")

    def _ask(self, method: str, path: str, body: str) -> tuple[int, Any]:
        self._connection.request(method, f"/v1/{path}", body.encode())
        response = self._connection.getresponse()
        return response.status, json.loads(response.read() or b"null")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("opa"))
    yield started
    started.close()


def answered(kind: str, source: str, document: str) -> dict[str, Any]:
    modules = {"fuzz.rego": {"source": source, "rego": "v1"}}
    policy = {"kind": kind, "modules": modules, "data": []}
    return Policy(regorus, policy, "{}").answer(examine(regorus, policy), "{}", document)


def by_default(source: str, document: dict[str, Any]) -> tuple[str, Any]:
    """Give what the default engine's process would, without a process for each case."""
    try:
        (found,) = answered("evaluate", source, json.dumps(document))["sets"]
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return "failed", first_lines(error)
    return "members", found["members"]


def spelled(source: str) -> str | None:
    """Give what OPA is asked in the end; None for what is refused before either engine evaluates it."""
    try:
        text: str = answered("spell", source, "{}")["spelled"]["fuzz.rego"]
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return None
    return text


def ordered(members: list[Any]) -> list[str]:
    return sorted(json.dumps(plain(member), sort_keys=True) for member in members)


def plain(value: Any) -> Any:
    """Write a whole number in one way."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@pytest.mark.interop
@pytest.mark.slow
@pytest.mark.skipif(not PROGRAM, reason="PRATIQUE_OPA names no OPA program")
@settings(
    max_examples=int(EXAMPLES or 300),
    derandomize=not EXAMPLES,
    database=None,
    phases=[Phase.generate, Phase.shrink] if EXAMPLES else [Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(policies(), documents)
def test_engines_agree(server: Server, source: str, document: dict[str, Any]) -> None:
    text = spelled(source)
    if text is None:
        return
    note(source)
    (here, found), (there, wanted) = by_default(source, document), server.deny(text, document)
    if here == there == "members":
        assert ordered(found) == ordered(wanted)
    elif here == "members":
        assert there == "refused", wanted
        assert STRICTER.search(wanted), wanted
    elif there == "members":
        assert FAILS_ALONE.search(found), found
