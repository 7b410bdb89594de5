"""in-toto Statement v1: a typed claim bound to artifacts by digest."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from pratique.errors import MalformedError
from pratique.model.digest import Digest, parse_digest_set
from pratique.model.predicate import STATEMENT_TYPE
from pratique.model.strict_json import canonical_json, parse_json_object

MAX_SUBJECTS: Final = 4096
OWN_TYPES: Final = (STATEMENT_TYPE,)
FOREIGN_TYPES: Final = (STATEMENT_TYPE, "https://in-toto.io/Statement/v0.1")


class Subject(msgspec.Struct, frozen=True):
    """What a statement is about; `name` helps people and identifies nothing.

    Attributes:
        name: a label, unique only by custom.
        digest: in-toto DigestSet, algorithm to lower-case hex.
    """

    name: str
    digest: dict[str, str]

    @property
    def sha256(self) -> Digest:
        """The subject's identity.

        Raises:
            MalformedError: the digest set has no well-formed SHA-256.
        """
        return parse_digest_set(self.digest)


class Statement(msgspec.Struct, frozen=True):
    """A claim (in-toto Attestation Framework, Statement v1)."""

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: dict[str, Any]

    def encode(self) -> bytes:
        """Write the statement as canonical JSON, ready to be signed.

        Raises:
            MalformedError: no subject, a subject without a name or a SHA-256, or a predicate without a
                canonical form. Others' verifiers refuse such statements, so none is signed.
        """
        if not self.subjects:
            raise MalformedError("a statement without a subject")
        for subject in self.subjects:
            if not subject.name:
                raise MalformedError("a subject without a name")
            parse_digest_set(subject.digest)
        if not self.predicate_type:
            raise MalformedError("a statement without a predicate type")
        return canonical_json(
            {
                "_type": STATEMENT_TYPE,
                "subject": [{"name": subject.name, "digest": subject.digest} for subject in self.subjects],
                "predicateType": self.predicate_type,
                "predicate": self.predicate,
            }
        )


def parse_statement(payload: bytes, *, types: tuple[str, ...] = OWN_TYPES) -> Statement:
    """Parse anyone's statement; members that the specification does not name are ignored, as it asks.

    Args:
        payload: the statement's bytes, as signed.
        types: the `_type`s that are read; v0.1 has the same members as v1.

    Raises:
        MalformedError: not strict JSON, another statement type, no subject, or a member of the wrong kind.
    """
    document = parse_json_object(payload, what="statement")
    if document.get("_type") not in types:
        raise MalformedError(f"statement: its _type is not {' or '.join(types)}")
    predicate_type = document.get("predicateType")
    if not isinstance(predicate_type, str) or not predicate_type:
        raise MalformedError("statement: predicateType is missing")
    predicate = document.get("predicate", {})
    if predicate is None and types != OWN_TYPES:
        predicate = {}  # PyPI writes null where there is nothing more to say
    if not isinstance(predicate, dict):
        raise MalformedError("statement: predicate is not an object")
    subjects = document.get("subject")
    if not isinstance(subjects, list) or not 0 < len(subjects) <= MAX_SUBJECTS:
        raise MalformedError(f"statement: it needs between 1 and {MAX_SUBJECTS} subjects")
    return Statement(tuple(_subject(item) for item in subjects), predicate_type, predicate)


def _subject(item: object) -> Subject:
    if not isinstance(item, dict):
        raise MalformedError("statement: a subject is not an object")
    name, digest = item.get("name", ""), item.get("digest")
    if not isinstance(name, str):
        raise MalformedError("statement: a subject's name is not a string")
    if not isinstance(digest, dict) or not digest:
        raise MalformedError(f"statement: subject {name[:80]!r} has no digest")
    if not all(isinstance(value, str) and value for value in digest.values()):
        raise MalformedError(f"statement: a digest of subject {name[:80]!r} is not a string")
    if "sha256" in digest:
        parse_digest_set(digest)
    return Subject(name, digest)
