"""Open a key by its URI and sign what comes on stdin; print the outcome as JSON.

Tests run it in an environment that has the extras.

usage: sign_with.py KEY-URI < data
"""

from __future__ import annotations

import base64
import json
import os
import sys
from datetime import UTC, datetime

from pratique.errors import PratiqueError
from pratique.trust.signers.port import Secret, Surroundings, sign
from pratique.trust.signers.table import open_key

asked: list[str] = []
waited: list[float] = []


def ask(secret: Secret) -> bytes:
    asked.append(secret.kind)
    return os.environ["TEST_SECRET"].encode()


def nobody(_: object) -> None:
    raise NotImplementedError


def main() -> None:
    world = Surroundings(ask, nobody, nobody, os.environ, waited.append, lambda: datetime.now(UTC))
    try:
        key = open_key(sys.argv[1], world)
        signature = sign(key, sys.stdin.buffer.read())
        found = {
            "publicKey": base64.b64encode(key.public_key).decode(),
            "signature": base64.b64encode(signature).decode(),
            "where": key.where,
        }
    except PratiqueError as error:
        found = {"error": type(error).__name__, "message": error.message, "hint": error.hint}
    sys.stdout.write(json.dumps({**found, "asked": asked, "waited": waited}))


main()
