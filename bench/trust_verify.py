"""Verifying bundles: ours, sigstore-python and cosign on the same bundles in one run.

    python bench/trust_verify.py
    PRATIQUE_SIGSTORE_PYTHON=/path/to/python PRATIQUE_COSIGN=/path/to/cosign python bench/trust_verify.py

Rates are of processes with everything imported and the root loaded, in turns and in CPU time, so that the
ratios hold where the machine has other work to do. `distinct` bundles each have
a proof to a tree head of their own; `one-head` have proofs to one, as a batch of the journal gives;
`repeated` is one bundle again and again. Cold is a whole process for one bundle, on the clock. `batch` is
time on the clock for each of the distinct bundles: cosign has no batches, and takes a process for each. The
floor is the curve operations alone that a distinct bundle needs: four P-256 verifications and one Ed25519.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pratique.model.digest import sha256_bytes
from pratique.testing.authority import World, inclusion_path, make_world, tree_root
from pratique.trust.bundle import LogProof, encode_bundle, parse_bundle
from pratique.trust.merkle import leaf_hash
from pratique.trust.note import Checkpoint, sign_checkpoint
from pratique.trust.statement import Statement, Subject

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 3
BUNDLES = 192
COLD = 9
BATCH = 24
BLOB = b"an application\n"
WHO = (
    "--certificate-identity=spiffe://pratique.local/builder",
    "--certificate-oidc-issuer=https://pratique.local/pratique",
)

TIMER = """
import sys, time
from pathlib import Path
def measure(verify_all, count):
    verify_all()
    times = []
    for _ in range(3):
        start = time.process_time(); verify_all(); times.append(time.process_time() - start)
    print(count / min(times))
root, kind, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
files = sorted(folder.glob("*.json"))
files = files[:1] * len(files) if kind == "repeated" else files
"""

OURS = """
from pratique.trust.root import parse_root
from pratique.trust import verify
loaded, datas = parse_root(Path(root).read_bytes()), [file.read_bytes() for file in files]
def run():
    verify._head.cache_clear()
    for data in datas:
        verify.verify_bundle(data, loaded)
measure(run, len(files))
"""

SIGSTORE = """
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier, policy
verifier, datas = Verifier(trusted_root=TrustedRoot.from_file(root)), [file.read_text() for file in files]
who = policy.Identity(identity="spiffe://pratique.local/builder", issuer="https://pratique.local/pratique")
measure(lambda: [verifier.verify_dsse(Bundle.from_json(data), who) for data in datas], len(files))
"""

COLD_OURS = """
import sys
from pathlib import Path
from pratique.trust.root import parse_root
from pratique.trust.verify import verify_bundle
verify_bundle(Path(sys.argv[2]).read_bytes(), parse_root(Path(sys.argv[1]).read_bytes()))
"""

COLD_SIGSTORE = """
import sys
from pathlib import Path
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier, policy
who = policy.Identity(identity="spiffe://pratique.local/builder", issuer="https://pratique.local/pratique")
Verifier(trusted_root=TrustedRoot.from_file(sys.argv[1])).verify_dsse(
    Bundle.from_json(Path(sys.argv[2]).read_text()), who)
"""


ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""What is installed has its bytecode beside it; a checkout has, once it was imported."""


def _rate(python: str, script: Path, files: list[str]) -> float:
    done = subprocess.run([python, str(script), *files], check=True, capture_output=True, text=True)
    return float(done.stdout)


def _cold(command: list[str]) -> float:
    taken = []
    for _ in range(COLD):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1000


def _make(world: World, distinct: Path, one_head: Path) -> None:
    """Sign as the builder, and prove each entry to its own tree head, then all of them to the last."""
    distinct.mkdir()
    one_head.mkdir()
    bundles = []
    for number in range(BUNDLES):
        subject = Subject("app", sha256_bytes(BLOB).digest_set)
        statement = Statement((subject,), "https://slsa.dev/provenance/v1", {"number": number})
        data = world.log.append(world.authority.signer("builder").sign(statement))
        (distinct / f"{number:04}.json").write_bytes(data)
        bundles.append(parse_bundle(data))
    leaves = [leaf_hash(bundle.log.entry_body) for bundle in bundles]
    head = Checkpoint(world.authority.trust_domain, len(leaves), tree_root(leaves))
    note = sign_checkpoint(head, world.authority.log_key)
    for number, bundle in enumerate(bundles):
        path = tuple(inclusion_path(leaves, number))
        proof = LogProof(number, head.size, head.root, path, note, bundle.log.log_id, bundle.log.entry_body)
        (one_head / f"{number:04}.json").write_bytes(encode_bundle(bundle.signed(), proof))


def _floor() -> float:
    key, other = ec.generate_private_key(ec.SECP256R1()), Ed25519PrivateKey.generate()
    signature, second, data = (
        key.sign(bytes(900), ec.ECDSA(hashes.SHA256())),
        other.sign(bytes(90)),
        bytes(900),
    )
    public, log = key.public_key(), other.public_key()

    def once() -> None:
        for _ in range(4):
            public.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        log.verify(second, bytes(90))

    return 1 / min(_seconds(once) for _ in range(50))


def _seconds(once: Callable[[], None]) -> float:
    start = time.process_time()
    for _ in range(10):
        once()
    return (time.process_time() - start) / 10


def _report(folder: Path, root: Path) -> None:
    peer = os.environ.get("PRATIQUE_SIGSTORE_PYTHON", "")
    scripts = {
        "pratique": (sys.executable, OURS),
        "sigstore-python": (peer, SIGSTORE),
    }
    for kind in ("distinct", "one-head", "repeated"):
        place = folder / ("distinct" if kind == "repeated" else kind)
        rates: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for name, (python, script) in scripts.items():
                if python:
                    file = folder / "script.py"
                    file.write_text(TIMER + script)
                    rates.setdefault(name, []).append(_rate(python, file, [str(root), kind, str(place)]))
        for name, found in rates.items():
            ratio = ""
            if "sigstore-python" in rates:
                ratio = f"  {statistics.median(found) / statistics.median(rates['sigstore-python']):5.2f} ×"
            spread = f"({min(found):.0f} to {max(found):.0f})"
            print(f"{kind:9} {name:22} {statistics.median(found):8.0f} bundles/s  {spread:18}{ratio}")


def _report_cold(folder: Path, root: Path) -> None:
    bundle = str(folder / "distinct" / "0000.json")
    commands = {
        "pratique": [sys.executable, "-c", COLD_OURS, str(root), bundle],
        "pratique verify": [
            *(sys.executable, "-m", "pratique", "verify", str(folder / "app")),
            *("--bundle", bundle, "--root", str(root), *WHO, "--home", str(folder / "home")),
        ],
    }
    if peer := os.environ.get("PRATIQUE_SIGSTORE_PYTHON"):
        commands["sigstore-python"] = [peer, "-c", COLD_SIGSTORE, str(root), bundle]
    if cosign := os.environ.get("PRATIQUE_COSIGN"):
        commands["cosign"] = _cosign(cosign, folder, root, bundle)
    times = {name: _cold(command) for name, command in commands.items()}
    for name, taken in times.items():
        print(f"cold      {name:22} {taken:8.0f} ms  {taken / times['pratique']:5.2f} × ours")


def _cosign(program: str, folder: Path, root: Path, bundle: str) -> list[str]:
    how = ["--trusted-root", str(root), "--type=slsaprovenance1", "--use-signed-timestamps", *WHO]
    return [program, "verify-blob-attestation", "--bundle", bundle, *how, str(folder / "app")]


def _report_batch(folder: Path, root: Path) -> None:
    """Print milliseconds on the clock for each verification, the programs in turns."""
    files = [str(root), "distinct", str(folder / "distinct")]
    scripts = {"pratique": (sys.executable, OURS)}
    if peer := os.environ.get("PRATIQUE_SIGSTORE_PYTHON"):
        scripts["sigstore-python"] = (peer, SIGSTORE)
    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, (python, script) in scripts.items():
            file = folder / "script.py"
            file.write_text(TIMER.replace("process_time", "perf_counter") + script)
            found.setdefault(name, []).append(1000 / _rate(python, file, files))
        if cosign := os.environ.get("PRATIQUE_COSIGN"):
            start = time.perf_counter()
            for bundle in sorted((folder / "distinct").iterdir())[:BATCH]:
                command = _cosign(cosign, folder, root, str(bundle))
                subprocess.run(command, check=True, capture_output=True)
            found.setdefault("cosign", []).append((time.perf_counter() - start) * 1000 / BATCH)
    ours = statistics.median(found["pratique"])
    for name, taken in found.items():
        middle = statistics.median(taken)
        spread = f"({min(taken):.2f} to {max(taken):.2f})"
        print(f"batch     {name:22} {middle:8.2f} ms each  {spread:18}{middle / ours:6.1f} × ours")


def main() -> None:
    """Make the bundles, measure in turns, and print medians and ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = make_world(folder)
        world.log._leaves.clear()  # noqa: SLF001 - a log of these bundles alone
        root = folder / "trusted_root.json"
        root.write_bytes(world.authority.trusted_root.data)
        _make(world, folder / "distinct", folder / "one-head")
        print(f"floor     curve operations alone {_floor():8.0f} bundles/s")
        (folder / "app").write_bytes(BLOB)
        _report(folder, root)
        _report_batch(folder, root)
        _report_cold(folder, root)


if __name__ == "__main__":
    main()
