"""A small release with everything on record, made with a real authority, journal and blob store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from pratique.journal.journal import Journal
from pratique.model import predicate as p
from pratique.model.clock import format_time
from pratique.model.digest import Digest, sha256_bytes
from pratique.model.strict_json import canonical_json
from pratique.report.audit.archive import open_package
from pratique.report.audit.export import compose, write_package
from pratique.report.audit.log import pack_entries
from pratique.report.audit.manifest import CHECKPOINT, TRUSTED_ROOT, blob_name, evidence_name
from pratique.store.blobs import BlobStore
from pratique.testing.authority import make_authority
from pratique.trust.enrolment import Enrolment, enrolment_statement
from pratique.trust.keys import spki
from pratique.trust.note import verify_checkpoint
from pratique.trust.signers.file import LocalKey
from pratique.trust.signers.statement import KeySigner
from pratique.trust.statement import Statement, Subject
from pratique.trust.verify import log_public_key, verify_bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import timedelta
    from pathlib import Path

    from pratique.trust.signers.port import Signer

ARTIFACT = b"PK the artifact's bytes"
PLAN = sha256_bytes(b"the plan")


def ref(digest: Digest) -> dict[str, Any]:
    return {"digest": digest.digest_set}


class World:
    """A journal with its authority, and short words for the evidence of a release."""

    def __init__(self, folder: Path, trust_domain: str = "pratique.local") -> None:
        self.authority, self.clock = make_authority(folder, trust_domain=trust_domain)
        self.root = self.authority.trusted_root
        self.blobs = BlobStore(folder / "blobs")
        self.journal = Journal.open(
            folder, log_key=self.authority.log_key, origin=trust_domain, blobs=self.blobs
        )
        self.artifact = self.blobs.put(ARTIFACT)
        self.bundles: dict[Digest, bytes] = {}
        self.people: dict[str, Signer] = {}

    def record(self, signer: Signer, statement: Statement) -> Digest:
        self.clock.advance(minutes=1)
        recorded = self.journal.append([signer.sign(statement)])[0]
        self.bundles[recorded.digest] = recorded.bundle
        return recorded.digest

    def claim(self, role: str, kind: str, predicate: dict[str, Any], subject: Digest | None = None) -> Digest:
        about = Subject("harbour-1.whl", (subject or self.artifact).digest_set)
        return self.record(self.authority.signer(role), Statement((about,), kind, predicate))

    def enrol(self, person: str, roles: tuple[str, ...] = ("approver",)) -> Digest:
        key = ec.generate_private_key(ec.SECP256R1())
        self.people[person] = KeySigner(LocalKey(key), self.authority.timestamp)
        enrolment = Enrolment(person, roles, spki(key.public_key()), self.clock())
        return self.record(self.authority.signer("administrator"), enrolment_statement(enrolment))

    def posture(self, invocation: str = "i-1") -> Digest:
        checks = [{"id": "X-1", "result": "pass", "severity": "high", "title": "t"}]
        predicate = {"invocationId": invocation, "profile": "container", "checks": checks}
        return self.claim("runner", p.RUNNER_POSTURE, predicate, sha256_bytes(b"definition"))

    def provenance(self, posture: Digest, invocation: str = "i-1") -> Digest:
        source = {
            "uri": "git+https://git.example/harbour",
            "digest": {"gitCommit": "ab" * 20},
            "annotations": {"kind": "source", "authors": ["lin@example.org"]},
        }
        definition = {
            "buildType": "https://pratique.dev/buildtypes/sandboxed/v1",
            "internalParameters": {"isolation": {"class": "namespaces", "network": "none"}},
            "resolvedDependencies": [source],
        }
        details = {
            "builder": {"id": "spiffe://pratique.local/builder"},
            "metadata": {"invocationId": invocation},
            "byproducts": [{"name": "runner-posture", **ref(posture)}],
        }
        return self.claim("builder", p.PROVENANCE, {"buildDefinition": definition, "runDetails": details})

    def rebuild(self, rebuilt: Digest | None = None, verdict: str = "bit-identical") -> Digest:
        predicate = {
            "verdict": verdict,
            "original": ref(self.artifact),
            "rebuilt": ref(rebuilt or self.artifact),
            "varied": ["path"],
            "differences": [],
        }
        return self.claim("rebuilder", p.REBUILD, predicate)

    def decision_document(self, inputs: list[Digest], **changed: Any) -> dict[str, Any]:
        policy = self.blobs.put(b'{"policy":1}')
        return {
            "schema": "https://pratique.dev/policy-result/v1",
            "decision": "allow",
            "subject": [{"name": "harbour-1.whl", **ref(self.artifact)}],
            "policy": ref(policy),
            "input_digest": self.blobs.put(b'{"input":1}').digest_set,
            "inputs": [{"digest": str(digest)} for digest in inputs],
            "set_aside": [],
            "results": [{"code": "build.isolated", "status": "success", "msg": "built without a network"}],
            **changed,
        }

    def decide(
        self,
        inputs: list[Digest],
        *,
        document: dict[str, Any] | None = None,
        signer: str = "verifier",
        **changed: Any,
    ) -> Digest:
        document = document or self.decision_document(inputs)
        predicate = {
            "verifier": {"id": "spiffe://pratique.local/verifier"},
            "resourceUri": "file:harbour-1.whl",
            "policy": {"uri": "policy/release", **document["policy"]},
            "inputAttestations": [ref(digest) for digest in inputs],
            "verificationResult": "PASSED" if document["decision"] == "allow" else "FAILED",
            "slsaVersion": "1.2",
            "https://pratique.dev/decision": ref(self.blobs.put(canonical_json(document))),
            **changed,
        }
        return self.claim(signer, p.VSA, predicate)

    def approve(
        self, person: str, decision: Digest, *, lasting: timedelta | None = None, by: str = "", **changed: Any
    ) -> Digest:
        self.clock.advance(minutes=1)
        limit = self.clock() + lasting if lasting else self.clock().replace(year=2027)
        predicate = {
            "person": person,
            "environment": "production",
            "decision": ref(decision),
            "plan": ref(PLAN),
            "approvedAt": format_time(self.clock()),
            "notAfter": format_time(limit),
            **changed,
        }
        about = Subject("harbour-1.whl", self.artifact.digest_set)
        return self.record(self.people[by or person], Statement((about,), p.APPROVAL, predicate))

    def deploy(self, decision: Digest, approvals: list[Digest], **changed: Any) -> Digest:
        self.clock.advance(minutes=1)
        predicate = {
            "deploymentId": str(sha256_bytes(b"deployment")),
            "environment": "production",
            "action": "deploy",
            "phase": "live",
            "requester": "lin",
            "decision": ref(decision),
            "approvals": [ref(digest) for digest in approvals],
            "plan": ref(PLAN),
            "previous": None,
            "target": {"kind": "directory", "path": "/srv/harbour"},
            "startedOn": format_time(self.clock()),
            "finishedOn": format_time(self.clock()),
            **changed,
        }
        return self.claim("deployer", p.DEPLOYMENT, predicate)

    def release(self) -> dict[str, Digest]:
        """Record a whole release; gives the evidence digests by a short name."""
        made = {"enrolment": self.enrol("ada"), "posture": self.posture()}
        made["provenance"] = self.provenance(made["posture"])
        made["rebuild"] = self.rebuild()
        made["decision"] = self.decide([made["posture"], made["provenance"], made["rebuild"]])
        made["approval"] = self.approve("ada", made["decision"])
        made["deployment"] = self.deploy(made["decision"], [made["approval"]])
        return made

    def export(self, path: Path, **options: Any) -> bytes:
        options.setdefault("signer", self.authority.signer("administrator"))
        write_package(
            path,
            [self.artifact],
            journal=self.journal,
            blobs=self.blobs,
            root=self.root,
            version="0.1.0",
            **options,
        )
        return path.read_bytes()

    def members(self) -> dict[str, bytes]:
        """Everything on record as members, whether or not it holds together."""
        note = self.journal.checkpoint()
        return {
            TRUSTED_ROOT: self.root.data,
            CHECKPOINT: note.encode(),
            **pack_entries(list(self.journal.entries())),
            **{evidence_name(digest): data for digest, data in self.bundles.items()},
            **{
                blob_name(digest): self.blobs.get(digest)
                for digest in self.blobs
                if digest not in self.bundles
            },
        }

    def seal(
        self,
        members: dict[str, bytes],
        *,
        role: str = "administrator",
        artifacts: list[Digest] | None = None,
        **reworded: Any,
    ) -> bytes:
        """Seal any members, as the holder of all keys could; `reworded` changes the seal itself."""
        log = self.root.tlogs[0]
        head = verify_checkpoint(members[CHECKPOINT].decode(), log.origin, log_public_key(log))

        def sign(statement: Statement) -> tuple[bytes, tuple[bytes, ...]]:
            statement = msgspec.structs.replace(statement, **reworded)
            recorded = self.journal.append([self.authority.signer(role).sign(statement)])[0]
            size = verify_bundle(recorded.bundle, self.root).bundle.log.tree_size
            return recorded.bundle, self.journal.prove_consistency(head.size, size)

        wanted = [self.artifact] if artifacts is None else artifacts
        return compose(members, head, wanted, root=self.root, version="0.1.0", seal=sign)[0]


@pytest.fixture(scope="session")
def _released(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, dict[str, Digest], bytes]]:
    folder = tmp_path_factory.mktemp("world")
    world = World(folder)
    made = world.release()
    yield world, made, world.export(folder / "audit.tar")
    world.journal.close()


@pytest.fixture(scope="session")
def package(_released: tuple[World, dict[str, Digest], bytes]) -> bytes:
    """A package as exported."""
    return _released[2]


@pytest.fixture(scope="session")
def released(_released: tuple[World, dict[str, Digest], bytes]) -> World:
    """The world the package is from; only seal in it, record nothing."""
    return _released[0]


@pytest.fixture(scope="session")
def made(_released: tuple[World, dict[str, Digest], bytes]) -> dict[str, Digest]:
    """The release's evidence digests by short name."""
    return _released[1]


@pytest.fixture(scope="session")
def sealed_members(package: bytes) -> dict[str, bytes]:
    """The package's listed members, to change and reseal."""
    return open_package(package).members


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An empty world."""
    world = World(tmp_path)
    yield world
    world.journal.close()


@pytest.fixture
def other_world(tmp_path: Path) -> Iterator[Callable[[str], World]]:
    """Worlds of their own, with other keys."""
    made: list[World] = []

    def make(trust_domain: str) -> World:
        made.append(World(tmp_path / f"other-{len(made)}", trust_domain))
        return made[-1]

    yield make
    for world in made:
        world.journal.close()
