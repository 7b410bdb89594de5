"""Keys that live elsewhere, in the shape in which `cryptography` signs with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_der_public_key

from pratique.errors import ConfigError, InfrastructureError
from pratique.trust.keys import load_p256_spki
from pratique.trust.signers.port import sign

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        KeySerializationEncryption,
        PrivateFormat,
    )

    from pratique.trust.signers.port import KeyHandle, LogKeyHandle


class RemoteKey(ec.EllipticCurvePrivateKey):
    """A P-256 key in a token, an HSM, or a key service: it signs, and can do nothing else."""

    def __init__(self, handle: KeyHandle) -> None:
        self._handle = handle
        self._public = load_p256_spki(handle.public_key)

    def sign(
        self,
        data: bytes | bytearray | memoryview[int],
        signature_algorithm: ec.EllipticCurveSignatureAlgorithm,
    ) -> bytes:
        """Sign with ECDSA and SHA-256.

        Raises:
            TypeError: another algorithm, which is a defect of the caller.
            ConfigError: see `KeyHandle.sign_digest`.
            InfrastructureError: likewise.
        """
        algorithm = signature_algorithm.algorithm
        if isinstance(algorithm, Prehashed) or not isinstance(algorithm, hashes.SHA256):
            raise TypeError("a remote key signs with SHA-256")
        return sign(self._handle, bytes(data))

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Give the public half."""
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        """P-256."""
        return self._public.curve

    @property
    def key_size(self) -> int:
        """256."""
        return self._public.key_size

    def exchange(self, algorithm: ec.ECDH, peer_public_key: ec.EllipticCurvePublicKey) -> NoReturn:
        """Refuse: it signs only."""
        raise NotImplementedError

    def private_numbers(self) -> NoReturn:
        """Refuse: it does not leave where it is."""
        raise NotImplementedError

    def private_bytes(
        self,
        encoding: Encoding,
        format: PrivateFormat,  # noqa: A002 - the base class's name
        encryption_algorithm: KeySerializationEncryption,
    ) -> NoReturn:
        """Refuse: it does not leave where it is."""
        raise NotImplementedError

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self


class RemoteLogKey(Ed25519PrivateKey):
    """An Ed25519 key in a token, an HSM, or a key service: it signs, and can do nothing else."""

    def __init__(self, handle: LogKeyHandle) -> None:
        self._handle = handle
        try:
            public = load_der_public_key(handle.public_key)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise ConfigError(f"{handle.where}: its public key does not parse") from error
        if not isinstance(public, Ed25519PublicKey):
            raise ConfigError(f"{handle.where}: not an Ed25519 key")
        self._public = public

    def sign(self, data: bytes | bytearray | memoryview[int]) -> bytes:
        """Sign, and check the signature before it goes anywhere.

        Raises:
            InfrastructureError: what holds the key gave something that does not verify.
            ConfigError: see `LogKeyHandle.sign_message`.
        """
        message = bytes(data)
        signature = self._handle.sign_message(message)
        try:
            self._public.verify(signature, message)
        except InvalidSignature as error:
            raise InfrastructureError(
                f"{self._handle.where}: what it signed does not verify under its own public key",
                hint="the token or service is faulty, or its key was exchanged meanwhile: try again",
            ) from error
        return signature

    def public_key(self) -> Ed25519PublicKey:
        """Give the public half."""
        return self._public

    def private_bytes(
        self,
        encoding: Encoding,
        format: PrivateFormat,  # noqa: A002 - the base class's name
        encryption_algorithm: KeySerializationEncryption,
    ) -> NoReturn:
        """Refuse: it does not leave where it is."""
        raise NotImplementedError

    def private_bytes_raw(self) -> NoReturn:
        """Refuse: it does not leave where it is."""
        raise NotImplementedError

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self
