"""Signing against `pratique serve --trust`: signatures a second, and what part of the time is the server's.

    python bench/serve_sign.py
    PRATIQUE_SIGSTORE_PYTHON=/path/to/python python bench/serve_sign.py

One signature is a certificate, a timestamp and a log entry: two durable appends to the journal. The small
client does no more than that; sigstore-python's signer does what it always does. Wall time is as the client
sees it; the server's part is its process's CPU time. All of it over TLS on loopback.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

from oidc_issuer import Issuer, issuer_on_loopback, make_tls
from server_process import Answer, ServerProcess, serve
from signing_client import sign_once

from pratique.model.clock import system_clock
from pratique.trust.authority.init import initialise
from pratique.trust.signingconfig import encode_signing_config

if TYPE_CHECKING:
    from pratique.trust.root import TrustedRoot

COUNT = 50
CLIENTS = 8

SIGSTORE = """
import json, sys, time
from sigstore.models import ClientTrustConfig
from sigstore.oidc import IdentityToken
from sigstore.sign import SigningContext
config, token, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
context = SigningContext.from_trust_config(ClientTrustConfig.from_json(open(config).read()))
walls, cpu = [], 0.0
for number in range(count + 1):
    with context.signer(IdentityToken(token)) as signer:
        start, used = time.perf_counter(), time.process_time()
        signer.sign_artifact(b"data")
        if number:
            walls.append(time.perf_counter() - start)
            cpu += time.process_time() - used
print(json.dumps([walls, cpu / count]))
"""


class Client(ServerProcess):
    """A client with one connection, which notes how long each request took."""

    def __init__(self, server: ServerProcess, context: ssl.SSLContext) -> None:
        super().__init__(server.process, server.url)
        parts = urlsplit(server.url)
        self._connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, context=context)
        self.times: dict[str, list[float]] = {}

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """See `ServerProcess.request`."""
        start = time.perf_counter()
        self._connection.request(method, path, body, headers or {})
        reply = self._connection.getresponse()
        data = reply.read()
        self.times.setdefault(path, []).append(time.perf_counter() - start)
        return Answer(reply.status, data, {})

    def sign(self, issuer: Issuer) -> float:
        """Get a certificate, a log entry and a timestamp; give the seconds it took."""
        start = time.perf_counter()
        sign_once(self, issuer, "ada@example.org")
        kind = {"Content-Type": "application/json"}
        query = {"artifactHash": "A" * 43 + "=", "hashAlgorithm": "sha256", "certificates": True}
        answer = self.request("POST", "/api/v1/timestamp", json.dumps(query).encode(), kind)
        assert answer.status == http.HTTPStatus.OK
        return time.perf_counter() - start


def server_cpu(process: subprocess.Popen[str]) -> float:
    """Give the CPU seconds that a process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def milliseconds(times: list[float]) -> str:
    """Write the middle of some times, and where nine tenths of them end."""
    ordered = sorted(times)
    ninth = ordered[int(len(ordered) * 0.9)]
    return f"p50 {statistics.median(ordered) * 1e3:.1f} ms, p90 {ninth * 1e3:.1f} ms"


def small_client(server: ServerProcess, issuer: Issuer, context: ssl.SSLContext) -> None:
    """One client, one request after the other."""
    client = Client(server, context)
    client.sign(issuer)
    client.times.clear()
    before, start = server_cpu(server.process), time.perf_counter()
    times = [client.sign(issuer) for _ in range(COUNT)]
    wall, cpu = time.perf_counter() - start, server_cpu(server.process) - before
    print(f"one small client    {COUNT / wall:6.1f} signatures/s  {milliseconds(times)}")
    print(f"  server            {cpu / COUNT * 1e3:6.1f} ms CPU a signature")
    for path, taken in client.times.items():
        print(f"  {path:<22} {milliseconds(taken)}")


def many_clients(server: ServerProcess, issuer: Issuer, context: ssl.SSLContext) -> None:
    """Several clients at once."""
    clients = [Client(server, context) for _ in range(CLIENTS)]

    def work(client: Client) -> list[float]:
        return [client.sign(issuer) for _ in range(COUNT)]

    before, start = server_cpu(server.process), time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        times = [item for taken in pool.map(work, clients) for item in taken]
    wall, cpu = time.perf_counter() - start, server_cpu(server.process) - before
    done = COUNT * CLIENTS
    print(f"{CLIENTS} small clients     {done / wall:6.1f} signatures/s  {milliseconds(times)}")
    print(f"  server            {cpu / done * 1e3:6.1f} ms CPU a signature")


def sigstore_python(
    python: str, server: ServerProcess, issuer: Issuer, folder: Path, root: TrustedRoot
) -> None:
    """The signer of sigstore-python, warm."""
    signing = encode_signing_config(server.url, root.tlogs[0].valid_for.start, "bench", [issuer.url])
    trust = {
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": json.loads(root.data),
        "signingConfig": json.loads(signing),
    }
    (folder / "trust.json").write_text(json.dumps(trust))
    token = issuer.token(email="ada@example.org", email_verified=True)
    environment = {**os.environ, "REQUESTS_CA_BUNDLE": str(folder / "tls" / "ca.pem")}
    before = server_cpu(server.process)
    done = subprocess.run(
        [python, "-c", SIGSTORE, str(folder / "trust.json"), token, str(COUNT)],
        env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)
    cpu = server_cpu(server.process) - before
    walls, client_cpu = json.loads(done.stdout)
    print(f"sigstore-python     {len(walls) / sum(walls):6.1f} signatures/s  {milliseconds(walls)}")
    print(f"  server            {cpu / (COUNT + 1) * 1e3:6.1f} ms CPU a signature")
    print(f"  sigstore-python   {client_cpu * 1e3:6.1f} ms CPU a signature")


def main() -> None:
    """Measure."""
    with tempfile.TemporaryDirectory() as name, issuer_on_loopback() as issuer:
        folder = Path(name)
        home = folder / "home"
        root = initialise(home / "trust", trust_domain="localhost", clock=system_clock)
        ca = make_tls(folder / "tls")
        config = f"""
            listen = "127.0.0.1:0"
            limits = {{ per_address = 0, per_identity = 0 }}
            tls = {{ certificate = "{folder}/tls/tls.pem", key = "{folder}/tls/tls.key" }}
            issuers = [{{ url = "{issuer.url}", type = "email" }}]
        """
        context = ssl.create_default_context(cafile=str(ca))
        with serve(home, config) as server:
            server.url = server.url.replace("127.0.0.1", "localhost")
            small_client(server, issuer, context)
            many_clients(server, issuer, context)
            if python := os.environ.get("PRATIQUE_SIGSTORE_PYTHON"):
                sigstore_python(python, server, issuer, folder, root)
            server.stop()


if __name__ == "__main__":
    main()
