"""Cloud key services, against stand-ins that speak their protocols; nothing was tried on the services."""

from __future__ import annotations

import json
from collections.abc import Iterator  # noqa: TC003 - fixtures' types are looked at
from pathlib import Path  # noqa: TC003

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from kms_stand_in import AWS_KEY, AZURE_VERSION, GCP_KEY, StandIn, serve
from signer_peers import PYTHON, sign_with

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not PYTHON, reason="set PRATIQUE_SIGNERS_PYTHON to a python that has the extras"),
]


@pytest.fixture
def stand_in(socket_enabled: None) -> Iterator[StandIn]:  # noqa: ARG001 - lets the test use sockets
    with serve(ec.generate_private_key(ec.SECP256R1())) as running:
        yield running


@pytest.fixture
def google(stand_in: StandIn, tmp_path: Path) -> dict[str, str]:
    """A service account whose tokens come from the stand-in."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    file = tmp_path / "account.json"
    file.write_text(json.dumps({
        "type": "service_account", "client_email": "a@p.iam.gserviceaccount.com", "private_key": pem,
        "private_key_id": "1", "project_id": "p", "token_uri": f"{stand_in.address}/token",
    }))  # fmt: skip
    return {
        "GOOGLE_APPLICATION_CREDENTIALS": str(file),
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS": stand_in.address,
    }


@pytest.fixture
def azure(stand_in: StandIn) -> dict[str, str]:
    """A managed identity whose tokens come from the stand-in."""
    return {
        "IDENTITY_ENDPOINT": f"{stand_in.address}/identity",
        "IDENTITY_HEADER": "x",
        "PRATIQUE_AZURE_VAULT_ADDRESS": stand_in.address,
    }


def test_google_signs(stand_in: StandIn, google: dict[str, str]) -> None:
    found = sign_with(f"gcpkms:{GCP_KEY}", google)
    assert found["signature"], found
    assert [call for call in stand_in.calls if call.startswith("/v1")] == [
        f"/v1/{GCP_KEY}/publicKey",
        f"/v1/{GCP_KEY}:asymmetricSign",
    ]


def test_google_fails(stand_in: StandIn, google: dict[str, str]) -> None:
    uri = f"gcpkms:{GCP_KEY}"
    stand_in.wrong = [(403, {}, {"error": {"code": 403, "message": "denied for a reason"}})]
    denied = sign_with(uri, google)
    assert denied["message"] == f"{uri}: permission denied: denied for a reason"
    stand_in.wrong = [(429, {"Retry-After": "7"}, {}), (503, {}, b"busy")]
    busy = sign_with(uri, google)
    assert busy["signature"]
    assert busy["waited"] == [7.0, 1.0]
    stand_in.wrong = [(500, {}, {})] * 4
    broken = sign_with(uri, google)
    assert (broken["error"], len(broken["waited"])) == ("InfrastructureError", 3)
    stand_in.wrong = [(200, {}, b"<html>")]
    assert sign_with(uri, google)["error"] == "InfrastructureError"
    stand_in.algorithm = "EC_SIGN_P384_SHA384"
    assert "EC_SIGN_P384_SHA384, not EC_SIGN_P256_SHA256" in sign_with(uri, google)["message"]
    assert sign_with("gcpkms:projects/p", google)["error"] == "UsageError"
    nobody = {**google, "GOOGLE_APPLICATION_CREDENTIALS": "/nowhere"}
    assert "no Google credentials" in sign_with(uri, nobody)["message"]


def test_a_service_that_signs_with_another_key_is_found_out(
    stand_in: StandIn, google: dict[str, str]
) -> None:
    stand_in.sign_with = ec.generate_private_key(ec.SECP256R1())
    found = sign_with(f"gcpkms:{GCP_KEY}", google)
    assert found["message"].endswith("what it signed does not verify under its own public key")


def test_azure_signs(stand_in: StandIn, azure: dict[str, str]) -> None:
    for name in ("k", f"k/{AZURE_VERSION}"):
        found = sign_with(f"azurekms:v.vault.azure.net/keys/{name}", azure)
        assert found["signature"], found
    assert f"/keys/k/{AZURE_VERSION}/sign?api-version=7.4" in stand_in.calls


def test_azure_fails(stand_in: StandIn, azure: dict[str, str]) -> None:
    uri = "azurekms:v.vault.azure.net/keys/k"
    stand_in.wrong = [(403, {}, {"error": {"code": "Forbidden", "message": "key is disabled"}})]
    assert sign_with(uri, azure)["message"].endswith("key is disabled")
    assert "no such key" in sign_with("azurekms:v.vault.azure.net/keys/other", azure)["message"]
    stand_in.curve = "P-384"
    assert sign_with(uri, azure)["message"].endswith("not an ECDSA P-256 key")
    assert sign_with("azurekms:v.vault.azure.net", azure)["error"] == "UsageError"


def test_credentials_go_over_tls_only(google: dict[str, str]) -> None:
    plain = {**google, "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS": "http://kms.example"}
    assert "is no https address" in sign_with(f"gcpkms:{GCP_KEY}", plain)["message"]


@pytest.fixture
def aws(stand_in: StandIn) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL_KMS": stand_in.address,
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def test_aws_signs(aws: dict[str, str]) -> None:
    for name in ("alias/signing", AWS_KEY):
        found = sign_with(f"awskms:{name}", aws)
        assert found["signature"], found


def test_aws_fails(stand_in: StandIn, aws: dict[str, str]) -> None:
    uri = "awskms:alias/signing"
    assert "no such key" in sign_with("awskms:alias/other", aws)["message"]
    for kind, says in (
        ("DisabledException", "the key is disabled"),
        ("AccessDeniedException", "permission denied"),
        ("ExpiredTokenException", "the credentials have expired"),
        ("InvalidSignatureException", "the request was not accepted"),
    ):
        stand_in.wrong = [(400, {}, {"__type": kind, "message": "so it is"})]
        assert sign_with(uri, aws)["message"] == f"{uri}: {says}: so it is"
    stand_in.wrong = [(400, {}, {"__type": "ThrottlingException", "message": "slower"})]
    assert sign_with(uri, aws)["signature"]
    stand_in.key = ec.generate_private_key(ec.SECP384R1())
    assert "not an ECDSA P-256 key" in sign_with(uri, aws)["message"]
    nobody = {name: value for name, value in aws.items() if "KEY" not in name}
    assert "no AWS credentials" in sign_with(uri, nobody)["message"]
    nowhere = {name: value for name, value in aws.items() if name != "AWS_REGION"}
    assert "which region?" in sign_with(uri, nowhere)["message"]
