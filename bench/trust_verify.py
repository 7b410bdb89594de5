"""Verifications per second of one certificate bundle: our verifier, and sigstore-python on the same bytes.

    python bench/trust_verify.py
    PRATIQUE_SIGSTORE_PYTHON=/path/to/python python bench/trust_verify.py

Both verifiers run in turns, each in its own process with everything imported and loaded, so that the
ratio holds where the absolute figures depend on the machine and on what else it is doing.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from pratique.testing.authority import make_world

ROUNDS = 5
SECONDS = 1.0

TIMER = """
import sys, time
def rate(verify, seconds):
    verify()
    done, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < seconds:
        verify()
        done += 1
    return done / taken
root, bundle, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
"""

OURS = (
    TIMER
    + """
from pathlib import Path
from pratique.trust.root import parse_root
from pratique.trust.verify import verify_bundle
loaded, data = parse_root(Path(root).read_bytes()), Path(bundle).read_bytes()
print(rate(lambda: verify_bundle(data, loaded), seconds))
"""
)

PEER = (
    TIMER
    + """
from pathlib import Path
from sigstore.models import Bundle, TrustedRoot
from sigstore.verify import Verifier, policy
verifier, data = Verifier(trusted_root=TrustedRoot.from_file(root)), Path(bundle).read_text()
who = policy.Identity(
    identity="spiffe://pratique.local/builder", issuer="https://pratique.local/pratique"
)
print(rate(lambda: verifier.verify_dsse(Bundle.from_json(data), who), seconds))
"""
)


def _rate(python: str, script: str, files: list[str]) -> float:
    command = [python, "-c", script, *files, str(SECONDS)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Measure in turns, and print medians and the ratio."""
    peer = os.environ.get("PRATIQUE_SIGSTORE_PYTHON", "")
    with tempfile.TemporaryDirectory() as name:
        world = make_world(Path(name))
        root, bundle = Path(name, "trusted_root.json"), Path(name, "bundle.json")
        root.write_bytes(world.authority.trusted_root.data)
        bundle.write_bytes(world.by_certificate)
        files = [str(root), str(bundle)]
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(ROUNDS):
            ours.append(_rate(sys.executable, OURS, files))
            if peer:
                theirs.append(_rate(peer, PEER, files))
    print(f"pratique         {statistics.median(ours):8.0f} bundles/s  ({min(ours):.0f} to {max(ours):.0f})")
    if theirs:
        ratio = statistics.median(ours) / statistics.median(theirs)
        low, high = min(theirs), max(theirs)
        print(f"sigstore-python  {statistics.median(theirs):8.0f} bundles/s  ({low:.0f} to {high:.0f})")
        print(f"ratio            {ratio:8.2f}")
    else:
        print("sigstore-python  not measured: set PRATIQUE_SIGSTORE_PYTHON to a python that has it")


if __name__ == "__main__":
    main()
