"""Log, witness and monitor through the command line, as three people would use it."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from pratique.cli.main import main
from pratique.journal.tlogproof import verify_proof
from pratique.store import atomic
from pratique.trust.bundle import parse_bundle
from pratique.trust.cosignature import log_vkey, parse_vkey

if TYPE_CHECKING:
    from pathlib import Path

Run = Callable[..., tuple[int, str, str]]
ORIGIN = "pratique.local"


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out fsync: no power cut happens here."""
    monkeypatch.setattr(atomic, "_fsync", lambda _: None)


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRATIQUE_HOME", str(tmp_path / "home"))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    assert run("trust", "init")[0] == 0
    enrol(run, "alice")
    assert run("witness", "init", "w", "--name", "w.example/1")[0] == 0
    return run


def enrol(run: Run, person: str) -> None:
    """Append one entry to the log."""
    assert run("trust", "keygen", f"{person}.key")[0] == 0
    arguments = ("--key", f"{person}.key.pub", "--email", f"{person}@example.com", "--role", "approver")
    assert run("trust", "enrol", person, *arguments)[0] == 0


def witnessed(run: Run, tmp_path: Path, size: int) -> None:
    """Carry a request to the witness and its answer back."""
    code, out, _ = run("log", "checkpoint", "--with-proof-from", str(size))
    assert code == 0
    (tmp_path / "request").write_text(out)
    code, out, err = run("witness", "cosign", "w", "--log", "home/trust/trusted_root.json", "request")
    assert code == 0, err
    (tmp_path / "answer").write_text(out)
    assert run("log", "collect", "answer", "--witness", "w/witness.vkey")[0] == 0


def evidence(run: Run) -> list[str]:
    """Give the evidence digests, oldest first."""
    _, out, _ = run("log", "list", "--json")
    return [item["evidence"] for item in reversed(json.loads(out)["entries"])]


def test_from_checkpoint_to_witnessed_proof(run: Run, tmp_path: Path) -> None:
    witnessed(run, tmp_path, 0)
    enrol(run, "bob")
    witnessed(run, tmp_path, 1)
    enrol(run, "carol")
    _, out, _ = run("log", "witnesses", "--json")
    vkey = (tmp_path / "w" / "witness.vkey").read_text().strip()
    listed = json.loads(out)["cosignatures"]
    assert [(row["size"], row["witness"], row["vkey"]) for row in listed] == [
        (2, "w.example/1", vkey),
        (1, "w.example/1", vkey),
    ]
    _, out, _ = run("log", "witnesses")
    assert [line.split()[0] for line in out.splitlines()] == ["2", "1"]
    keys = {ORIGIN: [log_key(tmp_path).public_key()]}
    for index, (digest, size) in enumerate(zip(evidence(run), (2, 2, 3), strict=True)):
        assert run("log", "prove", digest, "-o", "p.tlog-proof")[0] == 0
        text = (tmp_path / "p.tlog-proof").read_text()
        bundle = parse_bundle((tmp_path / "home/blobs/sha256" / digest[7:9] / digest[7:]).read_bytes())
        known = [parse_vkey(vkey)] if size == 2 else None
        proven = verify_proof(text, bundle.log.entry_body, keys, witnesses=known)
        assert (proven.index, proven.head.size) == (index, size)
    assert stat.S_IMODE((tmp_path / "w" / "witness.key").stat().st_mode) == 0o600
    assert run("log", "check")[0] == 0


def log_key(tmp_path: Path) -> Any:
    return load_pem_private_key((tmp_path / "home" / "trust" / "keys" / "log.pem").read_bytes(), None)


def test_logs_are_named_by_root_pem_or_verifier_key(run: Run, tmp_path: Path) -> None:
    key = log_key(tmp_path).public_key()
    (tmp_path / "log.pem").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "log.vkey").write_text(f"{log_vkey(ORIGIN, key)}\n")
    (tmp_path / "ck").write_text(run("log", "checkpoint")[1])
    root = "home/trust/trusted_root.json"
    for given in (root, f"{ORIGIN}={root}", f"{ORIGIN}=log.pem", f"{ORIGIN}=log.vkey"):
        code, out, err = run("witness", "cosign", "w", "ck", "--log", given)
        assert (code, out.count("\u2014")) == (0, 2), err
    refused = {
        f"other.example={root}": 2,
        "other.example=log.pem": 4,
        "other.example=log.vkey": 2,
        f"{ORIGIN}=w/witness.vkey": 2,
        f"{ORIGIN}=alice.key.pub": 2,
        f"{ORIGIN}=ck": 2,
        f"{ORIGIN}=nowhere": 2,
        "ck": 4,
    }
    for given, expected in refused.items():
        code, _, err = run("witness", "cosign", "w", "ck", "--log", given)
        assert code == expected, (given, err)
        assert err.startswith("error: ")


def test_proof_and_checkpoint_apart(run: Run, tmp_path: Path) -> None:
    witnessed(run, tmp_path, 0)
    enrol(run, "bob")
    (tmp_path / "ck").write_text(run("log", "checkpoint")[1])
    arguments = ("witness", "cosign", "w", "--log", "home/trust/trusted_root.json")
    code, _, err = run(*arguments, "ck")
    assert code == 2
    assert "hint: pratique log checkpoint --with-proof-from 1" in err
    request = run("log", "checkpoint", "--with-proof-from", "1")[1]
    (tmp_path / "request").write_text(request)
    (tmp_path / "proof").write_text(request.partition("\n\n")[0] + "\n")
    assert run(*arguments, "request", "--proof", "proof")[0] == 2
    assert run(*arguments, "ck", "--proof", "proof")[0] == 0
    assert run(*arguments, "request")[0] == 0, "the same request again"
    code, out, _ = run(*arguments, "ck", "--json")
    assert (code, json.loads(out)["size"]) == (0, 2)


def test_a_witness_that_refuses_is_loud(run: Run, tmp_path: Path) -> None:
    old = run("log", "checkpoint")[1]
    enrol(run, "bob")
    witnessed(run, tmp_path, 0)
    (tmp_path / "old").write_text(old)
    code, out, err = run("witness", "cosign", "w", "--log", "home/trust/trusted_root.json", "old")
    assert (code, out) == (4, "")
    assert "REFUSED TO COSIGN: the log pratique.local shrank from 2 entries to 1" in err
    (kept,) = (tmp_path / "w" / "misbehaviour").iterdir()
    assert (kept / "offered").read_text() == old


def test_the_monitor_in_a_cron_job(run: Run, tmp_path: Path) -> None:
    follow = ("--state", "state", "--trusted-root", "home/trust/trusted_root.json")
    for place in ("home", "home/journal", "home/journal/tiles"):
        code, out, _ = run("log", "follow", place, *follow)
        assert code == 0, place
    assert out == "pratique.local: 1 entries, 0 new; all as signed\n"
    enrol(run, "bob")
    code, out, err = run(
        "log", "follow", "home", *follow, "--expect-identity", "spiffe://pratique.local/builder"
    )
    assert (code, out) == (4, "")
    assert "entry 1: signed by spiffe://pratique.local/administrator" in err
    expected = ("--expect-identity", "key *", "--expect-identity", "spiffe://pratique.local/a*")
    code, out, _ = run("log", "follow", "home", *follow, *expected, "--json")
    assert (code, json.loads(out)["before"], json.loads(out)["size"]) == (0, 1, 2)
    assert run("log", "follow", "w", *follow)[0] == 2
    (tmp_path / "home/journal/tiles/checkpoint").unlink()
    assert run("log", "follow", "home", *follow)[0] == 4


def test_what_cannot_be_asked(run: Run) -> None:
    assert run("log", "checkpoint", "--with-proof-from", "2")[0] == 2
    assert run("log", "witnesses")[1].startswith("nobody cosigned")
    assert run("log", "prove", f"sha256:{'0' * 64}", "-o", "p")[0] == 4
    assert run("witness", "init", "w", "--name", "again")[0] == 2
    assert run("witness", "cosign", "home", "alice.key", "--log", "home/trust/trusted_root.json")[0] in (2, 4)
