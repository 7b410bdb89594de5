from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pratique.errors import SignatureInvalidError
from pratique.trust.batch import CHUNK, verify_batch
from pratique.trust.verify import Verified, verify_bundle

if TYPE_CHECKING:
    from pratique.testing.authority import World


@pytest.mark.parametrize("processes", [1, 2])
def test_verdicts_come_in_order_and_are_those_of_one_at_a_time(world: World, processes: int) -> None:
    root = world.authority.trusted_root
    document = json.loads(world.by_certificate)
    document["dsseEnvelope"]["payload"] = document["dsseEnvelope"]["payload"][::-1].lstrip("=")
    bad = [json.dumps(document, indent=number).encode() for number in range(CHUNK)]
    given = [world.by_certificate, *bad, world.by_key, world.by_certificate, b"junk"]
    verdicts = verify_batch(given, root, keys=world.keys, processes=processes)
    assert verdicts[0] == verdicts[-2] == verify_bundle(world.by_certificate, root)
    assert isinstance(verdicts[-3], Verified)
    assert verdicts[-3].signer.kind == "key"
    assert not any(isinstance(verdict, Verified) for verdict in (*verdicts[1:-3], verdicts[-1]))


def test_a_refusal_keeps_its_hint(world: World) -> None:
    root = world.authority.trusted_root
    padding = [b"junk %d" % number for number in range(CHUNK)]
    (refused, *_) = verify_batch([world.by_key, *padding], root, processes=2)
    assert isinstance(refused, SignatureInvalidError)
    assert "not enrolled" in refused.message
    assert "pratique trust enrol" in refused.hint
