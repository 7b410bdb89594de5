from __future__ import annotations

import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from pratique.errors import ConfigError, InfrastructureError, MalformedError, UsageError
from pratique.testing.authority import START, MemoryLog, SettableClock, World, make_authority
from pratique.trust.authority import der
from pratique.trust.authority.init import Authority, initialise
from pratique.trust.bundle import MAX_BUNDLE_BYTES
from pratique.trust.keys import generate_key
from pratique.trust.rootfile import load_root
from pratique.trust.signers.statement import MAX_PAYLOAD_BYTES
from pratique.trust.statement import Statement
from pratique.trust.verify import verify_bundle


def test_files_and_modes(tmp_path: Path) -> None:
    make_authority(tmp_path)
    found = {
        str(path.relative_to(tmp_path)): stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")
    }
    keys = {f"trust/keys/{name}.pem": 0o600 for name in ("ca", "tsa", "ctlog", "log")}
    assert found == {"trust": 0o700, "trust/keys": 0o700, "trust/trusted_root.json": 0o600, **keys}


def test_what_is_loaded_is_what_was_made(tmp_path: Path) -> None:
    clock = SettableClock()
    made = initialise(tmp_path / "home" / "trust", trust_domain="ci.example.org", clock=clock)
    authority = Authority.load(tmp_path / "home" / "trust", clock)
    assert authority.trusted_root == made
    assert (
        authority.trusted_root.fingerprint == load_root(tmp_path / "home/trust/trusted_root.json").fingerprint
    )
    assert authority.trust_domain == "ci.example.org"
    assert authority.signer("builder").identity.subject == "spiffe://ci.example.org/builder"


def test_an_authority_is_never_overwritten(tmp_path: Path) -> None:
    authority, clock = make_authority(tmp_path)
    with pytest.raises(UsageError, match="holds something already"):
        initialise(tmp_path / "trust", trust_domain="pratique.local", clock=clock)
    assert Authority.load(tmp_path / "trust", clock).trusted_root == authority.trusted_root


def test_an_empty_folder_will_do_and_a_file_will_not(tmp_path: Path) -> None:
    (tmp_path / "trust").mkdir()
    make_authority(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError):
        initialise(tmp_path / "file", trust_domain="a.b", clock=SettableClock())
    with pytest.raises(InfrastructureError):
        initialise(tmp_path / "file" / "trust", trust_domain="a.b", clock=SettableClock())


def test_leftovers_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    leftover = tmp_path / ".trust.new" / "keys"
    leftover.mkdir(parents=True)
    (leftover / "ca.pem").write_text("half")
    make_authority(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trust"]


@pytest.mark.parametrize("name", ["", "Pratique.local", "a b", "a/b", "-a", "a..b", "a:1", "x" * 64, "a.b\n"])
def test_trust_domains_are_host_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="not a trust domain"):
        initialise(tmp_path / "trust", trust_domain=name, clock=SettableClock())
    assert not (tmp_path / "trust").exists()


def test_keys_that_others_can_read_are_refused(tmp_path: Path) -> None:
    make_authority(tmp_path)
    for name in ("log", "ca"):
        key = tmp_path / "trust" / "keys" / f"{name}.pem"
        key.chmod(0o640)
        with pytest.raises(ConfigError, match="others than its owner") as caught:
            Authority.load(tmp_path / "trust", SettableClock())
        assert caught.value.hint == f"chmod 600 {key}"
        key.chmod(0o600)


@pytest.mark.parametrize("name", ["ca", "tsa", "ctlog", "log"])
def test_foreign_keys_are_refused(tmp_path: Path, name: str) -> None:
    make_authority(tmp_path / "a")
    make_authority(tmp_path / "b")
    key = Path("trust", "keys", f"{name}.pem")
    (tmp_path / "a" / key).write_bytes((tmp_path / "b" / key).read_bytes())
    with pytest.raises(ConfigError, match=rf"{name}\.pem is not the key that trusted_root\.json names"):
        Authority.load(tmp_path / "a" / "trust", SettableClock())


def test_missing_or_broken_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no trusted root") as caught:
        Authority.load(tmp_path / "trust", SettableClock())
    assert "trust init" in caught.value.hint
    make_authority(tmp_path)
    log_key = tmp_path / "trust" / "keys" / "log.pem"
    log_key.write_text("junk")
    with pytest.raises(ConfigError, match="not a private key"):
        Authority.load(tmp_path / "trust", SettableClock())
    log_key.unlink()
    generate_key(log_key)
    with pytest.raises(ConfigError, match="not an Ed25519 key"):
        Authority.load(tmp_path / "trust", SettableClock())


def test_a_root_that_names_too_little(tmp_path: Path) -> None:
    make_authority(tmp_path)
    path = tmp_path / "trust" / "trusted_root.json"
    document = json.loads(path.read_bytes())
    for part in ("tlogs", "ctlogs", "certificateAuthorities", "timestampAuthorities"):
        path.write_text(json.dumps({**document, part: []}))
        with pytest.raises(ConfigError, match="does not name all"):
            Authority.load(tmp_path / "trust", SettableClock())


def test_a_statement_too_large_to_be_read_back_is_not_signed(world: World) -> None:
    huge = Statement(world.statement.subjects, "https://example.com/p", {"x": "y" * 2**24})
    with pytest.raises(MalformedError, match="more than the 16777216 signed"):
        world.authority.signer("builder").sign(huge)


def test_the_largest_statement_fits_a_bundle() -> None:
    base64_and_proofs = MAX_PAYLOAD_BYTES * 4 // 3 + 2**20
    assert base64_and_proofs < MAX_BUNDLE_BYTES


def test_unknown_roles(world: World) -> None:
    with pytest.raises(UsageError, match="no role 'root'"):
        world.authority.signer("root")


def test_every_signature_has_its_own_key_and_a_ten_minute_certificate(world: World) -> None:
    signer = world.authority.signer("builder")
    first, second = (
        x509.load_der_x509_certificate(signer.sign(world.statement).certificate or b"") for _ in range(2)
    )
    assert first.public_key() != second.public_key()
    assert first.not_valid_before_utc == START
    assert first.not_valid_after_utc == START + timedelta(minutes=10)


def test_nothing_but_leaves_hangs_below_the_authority(world: World) -> None:
    (authority,) = world.authority.trusted_root.certificate_authorities
    extensions = authority.certificates[0].extensions
    constraints = extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)


def test_it_still_verifies_years_later(world: World, tmp_path: Path) -> None:
    authority, clock = make_authority(tmp_path)
    data = MemoryLog(authority).append(authority.signer("builder").sign(world.statement))
    clock.advance(days=9000)
    assert verify_bundle(data, authority.trusted_root).signed_at == START


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        (der.integer(0), "020100"),
        (der.integer(127), "02017f"),
        (der.integer(128), "02020080"),
        (der.integer(256), "02020100"),
        (der.oid("1.2.840.113549"), "06062a864886f70d"),
        (der.oid("2.16.840.1.101.3.4.2.1"), "0609608648016503040201"),
        (der.oid("2.999.3"), "0603883703"),
        (der.octets(bytes(127)), "047f" + "00" * 127),
        (der.octets(bytes(128)), "048180" + "00" * 128),
        (der.octets(bytes(256)), "04820100" + "00" * 256),
        (der.set_of(b"\x02\x01\x02", b"\x02\x01\x01"), "3106020101020102"),
        (der.generalized_time(START), "180f32303236303630313039303030305a"),
    ],
)
def test_der(encoded: bytes, expected: str) -> None:
    """Expected bytes from X.690's own examples and by hand from its rules."""
    assert encoded.hex() == expected
