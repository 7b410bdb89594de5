"""OpenPGP keys: the user's GnuPG signs, we verify with a keyring of our own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator  # noqa: TC003 - fixtures' types are looked at
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from pratique.errors import MalformedError, SignatureInvalidError
from pratique.trust.openpgp import canonical_key, verify_openpgp

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not shutil.which("gpg"), reason="needs the package gnupg"),
]


class Gpg:
    def __init__(self, home: Path) -> None:
        self.environment = {"GNUPGHOME": str(home), "PATH": os.environ["PATH"]}

    def run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        command = ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", *arguments]
        done = subprocess.run(command, check=True, input=stdin, capture_output=True, env=self.environment)
        return done.stdout

    def make(self, who: str, kind: str, use: str = "sign", until: str = "1y") -> str:
        self.run("--quick-gen-key", who, kind, use, until)
        listed = self.run("--list-keys", "--with-colons", who).decode().splitlines()
        return next(line.split(":")[9] for line in listed if line.startswith("fpr"))


@pytest.fixture
def gpg() -> Iterator[Gpg]:
    home = Path(mkdtemp(prefix="gpg-"))  # an agent's socket needs a short path
    gpg = Gpg(home)
    try:
        yield gpg
    finally:
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], check=False, env=gpg.environment)
        shutil.rmtree(home, ignore_errors=True)


@pytest.mark.parametrize("kind", ["ed25519", "nistp256", "rsa3072"])
def test_every_kind_of_key(project: Any, gpg: Gpg, kind: str) -> None:
    fingerprint = gpg.make("Ada <ada@app.example>", kind)
    project.environment.update(gpg.environment)
    (project.folder / "ada.asc").write_bytes(gpg.run("--armor", "--export", fingerprint))
    assert project.enrol("ada.asc")["key"] == project.enrol(f"gpg:{fingerprint}")["key"]
    evidence = project.ok(*project.attest(f"gpg:{fingerprint}"))["evidence"]
    verified = project.ok("verify", evidence)
    assert (verified["person"], verified["predicate"]) == ("ada", {"reviewed": True})
    assert project.run("log", "check").returncode == 0


def test_a_signing_subkey(project: Any, gpg: Gpg) -> None:
    fingerprint = gpg.make("Ada <ada@app.example>", "ed25519", "cert")
    gpg.run("--quick-add-key", fingerprint, "ed25519", "sign", "1y")
    project.environment.update(gpg.environment)
    project.enrol(f"gpg:{fingerprint}")
    project.ok(*project.attest(f"gpg:{fingerprint}"))
    gpg.run("--quick-add-key", fingerprint, "ed25519", "sign", "2y")
    assert "is not enrolled now" in project.fails(*project.attest(f"gpg:{fingerprint}"))["message"]


def test_what_is_not_there(project: Any, gpg: Gpg) -> None:
    project.environment.update(gpg.environment)
    assert project.fails(*project.attest("gpg:" + "AB" * 20))["hint"] == "gpg --list-secret-keys"
    assert "not a whole fingerprint" in project.fails(*project.attest("gpg:ada"))["message"]
    fingerprint = gpg.make("Ada <ada@app.example>", "ed25519")
    project.enrol(f"gpg:{fingerprint}")
    gpg.run("--yes", "--delete-secret-keys", fingerprint)
    assert (
        "no private key of that fingerprint"
        in project.fails(*project.attest(f"gpg:{fingerprint}"))["message"]
    )


def test_gnupg_is_not_there(project: Any, gpg: Gpg) -> None:
    fingerprint = gpg.make("Ada <ada@app.example>", "ed25519")
    project.environment.update(gpg.environment)
    project.enrol(f"gpg:{fingerprint}")
    evidence = project.ok(*project.attest(f"gpg:{fingerprint}"))["evidence"]
    project.environment["PATH"] = "/nowhere"
    done = project.run("verify", evidence)
    assert done.returncode == 3, done.stderr
    assert "gpg is not installed" in done.stderr


def test_what_does_not_count(gpg: Gpg) -> None:
    ada, bob = gpg.make("Ada <ada@a.example>", "ed25519"), gpg.make("Bob <bob@b.example>", "rsa2048")
    environment = gpg.environment
    keys = {name: canonical_key(gpg.run("--export", name), environment) for name in (ada, bob)}
    good = gpg.run("-u", ada, "--detach-sign", stdin=b"text")
    soon = datetime.now(UTC) + timedelta(seconds=5)
    verify_openpgp(good, b"text", keys[ada], soon, environment)
    weak = gpg.run("-u", bob, "--digest-algo", "SHA1", "--detach-sign", stdin=b"text")
    textual = gpg.run("-u", ada, "--textmode", "--detach-sign", stdin=b"text")
    other = gpg.run("-u", bob, "--detach-sign", stdin=b"text")
    cases = [
        (good, b"texts", ada, soon),
        (good, b"text", bob, soon),
        (good, b"text", ada, soon + timedelta(days=800)),
        (good, b"text", ada, soon - timedelta(days=800)),
        (weak, b"text", bob, soon),
        (textual, b"text", ada, soon),
        (good + other, b"text", ada, soon),
        (good + good, b"text", ada, soon),
        (b"", b"text", ada, soon),
    ]
    for signature, text, key, at in cases:
        with pytest.raises(SignatureInvalidError):
            verify_openpgp(signature, text, keys[key], at, environment)
    for nonsense in (b"", b"no key", keys[ada] + keys[bob], gpg.run("--export-secret-keys", ada)):
        with pytest.raises(MalformedError):
            canonical_key(nonsense, environment)


def test_a_revoked_key_does_not_count(gpg: Gpg) -> None:
    ada = gpg.make("Ada <ada@a.example>", "ed25519")
    good = gpg.run("-u", ada, "--detach-sign", stdin=b"text")
    (certificate,) = Path(gpg.environment["GNUPGHOME"]).glob("openpgp-revocs.d/*.rev")
    gpg.run("--import", stdin=certificate.read_bytes().replace(b":-----BEGIN", b"-----BEGIN"))
    key = canonical_key(gpg.run("--export", ada), gpg.environment)
    with pytest.raises(SignatureInvalidError, match="revoked"):
        verify_openpgp(good, b"text", key, datetime.now(UTC) + timedelta(seconds=5), gpg.environment)
