"""Ship two real programs with no network, then try to get five bad ones past the gate.

Run by `make demo`. Everything it makes is under demo-run/, which is made anew each time; every command is
printed as a user would type it, with its real output. Ends with 0 only if each command ended as expected.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent
RUN = EXAMPLES.parent / "demo-run"
WORK = RUN / "work"
HOME = RUN / "home"
HARBOUR = WORK / "harbour"
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
ENVIRONMENT = {**os.environ, "PATH": PATH, "PRATIQUE_HOME": str(HOME), "PYTHONDONTWRITEBYTECODE": "1"}
REFUSED, INVALID, AWAITING = 1, 4, 6

outcomes: list[tuple[str, int, int]] = []


def chapter(title: str) -> None:
    """Head the next part."""
    print(f"\n\033[1m━━ {title}\033[0m", flush=True)


def pratique(*arguments: str | Path, expect: int = 0, home: Path = HOME) -> None:
    """Run one command as a user would, show it, and note whether it ended as expected."""
    words = [str(argument) for argument in arguments]
    shown = " ".join(word.replace(f"{RUN}/", "") for word in words)
    print(f"\n\033[36m$ pratique {shown}\033[0m", flush=True)
    code = subprocess.run(
        ["pratique", *words], cwd=RUN, env={**ENVIRONMENT, "PRATIQUE_HOME": str(home)}, check=False
    ).returncode
    outcomes.append((shown, code, expect))
    if code != expect:
        print(f"\033[31m  ended with {code}, and should have ended with {expect}\033[0m", flush=True)
    elif expect:
        print(f"\033[2m  exit code {code}, as it should be\033[0m", flush=True)


def answer(*arguments: str | Path) -> dict[str, object]:
    """Ask a question with --json, without showing it."""
    words = [str(argument) for argument in arguments]
    result = subprocess.run(
        ["pratique", *words, "--json"], cwd=RUN, env=ENVIRONMENT, check=True, capture_output=True
    )
    body: dict[str, object] = json.loads(result.stdout)
    return body


def commit(message: str) -> None:
    """Commit the working copy as its developer."""
    who = ["-c", "user.name=Dana Developer", "-c", "user.email=dana@harbour.example"]
    for command in (["add", "--all"], [*who, "commit", "--quiet", "--message", message]):
        subprocess.run(["git", "-C", str(WORK), *command], check=True)


def prepare() -> None:
    """Copy the examples into a repository of their own, as their developer would have it."""
    subprocess.run(
        ["pratique", "stop", "--all"], cwd=EXAMPLES, env=ENVIRONMENT, check=False, capture_output=True
    )
    shutil.rmtree(RUN, ignore_errors=True)
    RUN.mkdir()
    shutil.copytree(EXAMPLES, WORK, ignore=shutil.ignore_patterns("demo.py", "__pycache__", ".pratique"))
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(WORK)], check=True)
    commit("harbour 1.0.0")


def next_version() -> None:
    """Change the service, as its developer would."""
    file = HARBOUR / "pyproject.toml"
    file.write_text(file.read_text().replace('version = "1.0.0"', 'version = "1.1.0"'))
    commit("harbour 1.1.0")


def ask_the_service() -> None:
    """Call the deployed service over HTTP."""
    for request in (
        urllib.request.Request("http://127.0.0.1:18080/healthz"),
        urllib.request.Request(
            "http://127.0.0.1:18080/ships", data=b'{"imo": "9074729", "name": "Ever Given"}', method="POST"
        ),
    ):
        with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310 - loopback, and spelled out above
            print(f"\033[36m$ {request.get_method()} {request.full_url}\033[0m\n{response.read().decode()}")


def tamper(original: Path, copy: Path) -> Path:
    """Change one byte in the middle of a file."""
    data = bytearray(original.read_bytes())
    data[len(data) // 2] ^= 1
    copy.write_bytes(data)
    return copy


def set_up_trust() -> None:
    """Make the root, and enrol two approvers; Mallory has a key too, and nobody's trust."""
    chapter("A private trust root, and the two people who may approve")
    pratique("trust", "init")
    for person in ("ada", "grace", "mallory"):
        pratique("trust", "keygen", RUN / f"{person}.key")
    for person in ("ada", "grace"):
        pratique("trust", "enrol", person, "--key", RUN / f"{person}.key.pub",
                 "--email", f"{person}@harbour.example", "--role", "approver")  # fmt: skip


def ship_the_service() -> None:
    """Stop at the gate for approvals, as a pipeline would, and go on once they are there."""
    chapter("A web service: from source to the gate, where it waits for people")
    pratique("ship", "-C", HARBOUR, expect=AWAITING)
    pratique("approve", "-C", HARBOUR, "--key", RUN / "ada.key")
    pratique("approve", "-C", HARBOUR, "--key", RUN / "mallory.key", expect=REFUSED)
    pratique("approve", "-C", HARBOUR, "--key", RUN / "grace.key")
    pratique("ship", "-C", HARBOUR)
    ask_the_service()


def ship_the_rest() -> None:
    """Take in somebody else's software; release a new version, and take it back."""
    chapter("Somebody else's C extension, built and rebuilt here before it is let in")
    keys: list[str | Path] = ["--approve-with", RUN / "ada.key", "--approve-with", RUN / "grace.key"]
    pratique("ship", "-C", WORK / "markupsafe", *keys)

    chapter("A new version goes live, and is rolled back")
    next_version()
    pratique("ship", "-C", HARBOUR, *keys)
    pratique("rollback", "-C", HARBOUR)
    pratique("status", "-C", HARBOUR)
    ask_the_service()


def try_the_gate() -> None:
    """Try five ways past it."""
    chapter("Refused: a tampered wheel")
    markupsafe = WORK / "markupsafe"
    pratique("build", "-C", markupsafe, "--output", RUN / "built")
    wheel = next((RUN / "built").glob("*.whl"))
    pratique("gate", "-C", markupsafe, tamper(wheel, RUN / wheel.name), expect=REFUSED)

    chapter("Refused: a dependency with a known vulnerability")
    pratique("ship", "-C", WORK / "negative/vulnerable", expect=REFUSED)

    chapter("Refused: a build that nobody can reproduce")
    pratique("ship", "-C", WORK / "negative/unreproducible", expect=REFUSED)

    chapter("Refused: evidence is missing")
    with (HARBOUR / "src/harbour/__init__.py").open("a") as module:
        module.write("\n# one more line, built but never rebuilt or scanned\n")
    commit("one more line")
    pratique("build", "-C", HARBOUR)
    pratique("gate", "-C", HARBOUR, expect=REFUSED)

    chapter("Refused: the rebuild is claimed, by somebody who may not claim it")
    claim = RUN / "claim.json"
    claim.write_text('{"verdict": "bit-identical"}')
    pratique("attest", "-C", HARBOUR, "--type", "rebuild", "--predicate", claim, "--key", RUN / "ada.key")
    pratique("gate", "-C", HARBOUR, expect=REFUSED)


def give_account() -> None:
    """Write the report and the audit package, and be the auditor."""
    chapter("The account: a report, and one file for the auditor")
    live = str(answer("status", "-C", HARBOUR)["live"])
    pratique("report", "-C", HARBOUR, live, "--output", RUN / "report.html")
    pratique("audit", "export", "-C", HARBOUR, live, "--output", RUN / "harbour.audit")
    fingerprint = str(answer("trust", "show")["fingerprint"])
    elsewhere = RUN / "auditor"
    pratique("audit", "verify", RUN / "harbour.audit", "--fingerprint", fingerprint, home=elsewhere)
    changed = tamper(RUN / "harbour.audit", RUN / "changed.audit")
    pratique("audit", "verify", changed, "--fingerprint", fingerprint, home=elsewhere, expect=INVALID)
    pratique("log", "check")
    pratique("log", "reindex")
    pratique("stop", "-C", HARBOUR)


def main() -> int:
    """Tell the story from the first key to the auditor's desk."""
    started = time.monotonic()
    prepare()
    set_up_trust()
    ship_the_service()
    ship_the_rest()
    try_the_gate()
    give_account()
    wrong = [outcome for outcome in outcomes if outcome[1] != outcome[2]]
    seconds = time.monotonic() - started
    print(f"\n\033[1m{len(outcomes) - len(wrong)} of {len(outcomes)} commands ended as they should, "
          f"in {seconds:.0f} s.\033[0m The report: demo-run/report.html")  # fmt: skip
    for shown, code, expect in wrong:
        print(f"  pratique {shown}: {code}, not {expect}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
