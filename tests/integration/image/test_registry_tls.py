"""Registries under private authorities: believed where they are configured, and nowhere else."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from registry_process import serve_registry

from pratique.errors import ConfigError, InfrastructureError
from pratique.image.registry import connections
from pratique.image.registry.client import Repository
from pratique.image.registry.connections import Connections
from pratique.image.registry.http import Http

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.enable_socket


def self_signed(folder: Path, name: str) -> Path:
    """Make a certificate for 127.0.0.1 that is its own authority, with its key beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / f"{name}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / f"{name}.key").chmod(0o600)
    return path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("tls")
    certificate = self_signed(folder, "server")
    config = f'tls = {{certificate = "{certificate}", key = "{folder}/server.key"}}\n'
    with serve_registry(folder / "home", config) as server:
        assert server.url.startswith("https://")
        yield server.url.removeprefix("https://"), certificate


def ask(host: str, made: Connections) -> object:
    return Repository(Http(host, connections=made, sleep=lambda _: None), "a").head("v1")


def test_an_authority_that_is_named_is_believed(served: tuple[str, Path]) -> None:
    host, authority = served
    assert ask(host, Connections(10, [authority])) is None  # no such image, and it could be asked


def test_so_is_one_in_certs_d(served: tuple[str, Path], tmp_path: Path) -> None:
    host, authority = served
    (tmp_path / host).mkdir()
    (tmp_path / host / "ca.crt").write_bytes(authority.read_bytes())
    assert ask(host, Connections(10, folders=[str(tmp_path)])) is None


def test_another_is_not(served: tuple[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="certificate verify failed"):
        ask(served[0], Connections(10, [self_signed(tmp_path, "other")]))
    with pytest.raises(InfrastructureError):
        ask(served[0], Connections(10, folders=[]))


def test_files_that_are_no_certificates_are_named(served: tuple[str, Path], tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("no certificate")
    with pytest.raises(ConfigError, match=r"no\.pem: no certificate authorities"):
        ask(served[0], Connections(10, [tmp_path / "no.pem"]))


def test_proxies_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert connections._proxy("registry.example.com", None) is None
    monkeypatch.setenv("https_proxy", "http://me:s%40crt@proxy.example.com:8080")
    monkeypatch.setenv("no_proxy", "inside.example.com")
    via, headers = connections._proxy("registry.example.com", None) or pytest.fail("no proxy")
    assert (via.hostname, via.port) == ("proxy.example.com", 8080)
    assert headers["Proxy-Authorization"] == "Basic " + base64.b64encode(b"me:s@crt").decode()
    for direct in ("inside.example.com", "localhost", "127.0.0.1"):
        assert connections._proxy(direct, None) is None
    monkeypatch.setenv("https_proxy", "socks5://proxy.example.com:1080")
    with pytest.raises(InfrastructureError, match="socks5"):
        connections._proxy("registry.example.com", None)
