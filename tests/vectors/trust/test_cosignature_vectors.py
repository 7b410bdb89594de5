"""The worked examples of C2SP tlog-cosignature and signed-note (CC-BY 4.0).

From https://github.com/C2SP/C2SP, tlog-cosignature.md and signed-note.md at
5ba5ee830903e91240fc6f9f3a7a9293d49e69c9. The specification does not publish the keys of its cosigned example,
so that one is held to its format.
"""

from __future__ import annotations

import base64

from pratique.trust.cosignature import VerifierKey, parse_vkey, text_of, trimmed, verify_cosignatures
from pratique.trust.note import ED25519, parse_checkpoint, verify_note

COSIGNED = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u2014 example.com/behind-the-sofa \
Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
\u2014 witness.example.com/w1 \
jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = """\
This is an example message.

\u2014 example.com/foo \
Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
"""


def test_the_cosigned_checkpoint_parses_as_the_specification_reads_it() -> None:
    head = parse_checkpoint(text_of(COSIGNED))
    assert (head.origin, head.size) == ("example.com/behind-the-sofa", 20852163)
    blob = base64.b64decode(COSIGNED.splitlines()[-1].split(" ")[2])
    assert blob[:4].hex() == "8d66cf3f"
    assert int.from_bytes(blob[4:12], "big") == 1679315147  # "time 1679315147" in the text
    assert len(blob) == 4 + 8 + 64


def test_without_its_key_the_witness_is_a_stranger() -> None:
    stranger = VerifierKey("witness.example.com/w1", bytes(32))
    assert verify_cosignatures(COSIGNED, [stranger]) == ()
    assert trimmed(COSIGNED, [stranger]).endswith("q2I=\n\n")


def test_the_verifier_key_verifies_its_note() -> None:
    key = parse_vkey(VKEY, ED25519)
    assert str(key) == VKEY
    assert key.key_id.hex() == "530d903a"
    assert verify_note(NOTE, "example.com/foo", key.public_key) == "This is an example message.\n"
