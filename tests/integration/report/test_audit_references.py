"""What the holder of all keys seals must still hold together: a broken chain is refused in its own words."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pratique.errors import EvidenceInvalidError
from pratique.model import predicate as p
from pratique.model.digest import Digest, sha256_bytes
from pratique.model.strict_json import canonical_json
from pratique.report.audit.archive import encode_package, open_package
from pratique.report.audit.log import encode_consistency, pack_entries, verify_seal_follows
from pratique.report.audit.manifest import blob_name, evidence_name
from pratique.report.audit.references import Material, verify_references
from pratique.report.audit.verify import AuditResult, verify_package_bytes
from pratique.testing.authority import MemoryLog
from pratique.trust.bundle import parse_bundle
from pratique.trust.note import Checkpoint
from pratique.trust.statement import Statement, Subject

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import World

Made = dict[str, Digest]


def verify(world: World, members: dict[str, bytes], **options: Any) -> AuditResult:
    return verify_package_bytes(world.seal(members, **options), world.root.fingerprint)


def refused(world: World, match: str, members: dict[str, bytes] | None = None, **options: Any) -> None:
    data = world.seal(world.members() if members is None else members, **options)
    with pytest.raises(EvidenceInvalidError, match=match):
        verify_package_bytes(data, world.root.fingerprint)


def test_resealed_unchanged_members_verify(released: World, sealed_members: dict[str, bytes]) -> None:
    assert len(verify(released, dict(sealed_members)).artifacts) == 1


@pytest.mark.parametrize(
    ("left_out", "match"),
    [
        ("approval", "step 10 .*approval sha256:.* is not in the package"),
        ("decision", "step 10 .*vsa sha256:.* is not in the package"),
        ("posture", "step 10 .*(runner-posture|evidence) sha256:.* is not in the package"),
        ("provenance", "step 10 .*evidence sha256:.* is not in the package"),
        ("enrolment", "step 8 .*is not enrolled"),
    ],
)
def test_evidence_left_out_with_a_new_seal(
    released: World, sealed_members: dict[str, bytes], made: Made, left_out: str, match: str
) -> None:
    members = dict(sealed_members)
    del members[evidence_name(made[left_out])]
    refused(released, match, members)


@pytest.mark.parametrize("blob", [b'{"policy":1}', b'{"input":1}'])
def test_a_blob_left_out_with_a_new_seal(
    released: World, sealed_members: dict[str, bytes], blob: bytes
) -> None:
    members = dict(sealed_members)
    del members[blob_name(sha256_bytes(blob))]
    refused(released, "step 10 .*(policy|decision input) sha256:.* is not in the package", members)


def test_evidence_swapped_under_its_name(
    released: World, sealed_members: dict[str, bytes], made: Made
) -> None:
    members = dict(sealed_members)
    members[evidence_name(made["rebuild"])] = members[evidence_name(made["provenance"])]
    refused(released, "step 4 .*its name is not its digest", members)


def test_a_seal_by_another_role(released: World, sealed_members: dict[str, bytes]) -> None:
    refused(
        released, "step 7 .*sealed by spiffe://pratique.local/verifier", dict(sealed_members), role="verifier"
    )


def test_a_seal_that_says_something_else(released: World, sealed_members: dict[str, bytes]) -> None:
    members = dict(sealed_members)
    refused(released, "step 7 .*own account of the package is not the manifest's", members, predicate={})
    refused(released, "step 7 .*not an audit seal: sbom", members, predicate_type=p.SBOM)


def test_a_manifest_that_states_another_root_or_checkpoint(package: bytes, released: World) -> None:
    opened = open_package(package)
    head = msgspec.structs.replace(opened.manifest.checkpoint, root="88" * 32)
    for changed, match in [
        ({"trust_root": f"sha256:{'99' * 32}"}, "step 5 .*the manifest names another root"),
        ({"checkpoint": head}, "step 6 .*not the one the manifest states"),
    ]:
        manifest = msgspec.structs.replace(opened.manifest, **changed).encode()
        data = encode_package(manifest, opened.members, consistency=opened.consistency, seal=opened.seal)
        with pytest.raises(EvidenceInvalidError, match=match):
            verify_package_bytes(data, released.root.fingerprint)


def test_a_seal_logged_before_its_checkpoint(package: bytes, released: World, made: Made) -> None:
    stated = open_package(package).manifest.checkpoint
    head = Checkpoint(stated.origin, stated.size, bytes.fromhex(stated.root))
    last = parse_bundle(released.bundles[made["deployment"]])
    with pytest.raises(EvidenceInvalidError, match="logged before the checkpoint"):
        verify_seal_follows(encode_consistency([]), head, last)


def test_a_package_resealed_by_a_foreign_root(
    released: World, sealed_members: dict[str, bytes], other_world: Callable[[str], World]
) -> None:
    other = other_world("pratique.local")
    other.release()
    foreign = open_package(other.seal(other.members()))
    with pytest.raises(EvidenceInvalidError, match=r"step 5 "):
        verify_package_bytes(other.seal(other.members()), released.root.fingerprint)
    mixed = open_package(released.seal(dict(sealed_members)))
    parts = (dict(mixed.members), mixed.consistency)
    manifest = mixed.manifest.encode()
    with pytest.raises(EvidenceInvalidError, match=r"step 7 .*seal\.sigstore\.json"):
        verify_package_bytes(
            encode_package(manifest, parts[0], consistency=parts[1], seal=foreign.seal),
            released.root.fingerprint,
        )


def test_evidence_of_a_foreign_root(
    released: World, sealed_members: dict[str, bytes], other_world: Callable[[str], World]
) -> None:
    other = other_world("pratique.local")
    foreign = other.rebuild()
    members = {**sealed_members, evidence_name(foreign): other.bundles[foreign]}
    refused(released, "step 8 .*" + foreign.hex, members)


def test_evidence_that_is_not_in_this_log(released: World, sealed_members: dict[str, bytes]) -> None:
    members = dict(sealed_members)
    later = released.seal(members)
    seal = open_package(later).seal
    members[evidence_name(sha256_bytes(seal))] = seal
    refused(released, r"step 8 .*entry \d+ of this log is another one", members)


def test_evidence_of_a_branch_that_the_log_signed_beside_this_one(
    released: World, sealed_members: dict[str, bytes], made: Made
) -> None:
    """The log's key signed two trees: in the other one the same entry stands at the same place."""
    branch = MemoryLog(released.authority)
    branch.append(parse_bundle(released.bundles[made["rebuild"]]).signed())
    forked = branch.append(parse_bundle(released.bundles[made["posture"]]).signed())
    members = {**sealed_members, evidence_name(sha256_bytes(forked)): forked}
    refused(released, "step 8 .*its tree head of size 2 is not a head of this log", members)


def test_a_deployment_logged_before_what_it_rests_on(package: bytes, released: World, made: Made) -> None:
    result = verify_package_bytes(package, released.root.fingerprint)
    verify_references(Material(result.evidence, {}, result.blobs))
    early = msgspec.structs.replace(result.evidence[made["deployment"]], log_index=0)
    evidence = {**result.evidence, made["deployment"]: early}
    with pytest.raises(EvidenceInvalidError, match=r"step 10 .*was logged after it"):
        verify_references(Material(evidence, {}, result.blobs))


def test_another_order_or_number_of_entries(released: World, sealed_members: dict[str, bytes]) -> None:
    leaves = list(released.journal.entries(0, 7))
    for changed, match in [
        ([leaves[1], leaves[0], *leaves[2:]], "do not lead to the checkpoint's root"),
        (leaves[:-1], "6 log entries, where the checkpoint covers 7"),
        ([*leaves, leaves[0]], "8 log entries, where the checkpoint covers 7"),
    ]:
        kept = {name: data for name, data in sealed_members.items() if not name.startswith("entries/")}
        refused(released, f"step 6 .*{match}", kept | pack_entries(changed))
    unpacked = {**sealed_members, "entries/000000000005": sealed_members["entries/000000000000"]}
    refused(released, "step 6 .*expected the entries from 7 on", unpacked)


def test_a_seal_without_proof_that_its_log_continues_the_checkpoint(
    released: World, sealed_members: dict[str, bytes]
) -> None:
    opened = open_package(released.seal(dict(sealed_members)))
    for proof in [encode_consistency([]), encode_consistency([bytes(32)] * 3), b"[]", b'{"hashes": []}']:
        data = encode_package(opened.manifest.encode(), opened.members, consistency=proof, seal=opened.seal)
        with pytest.raises(EvidenceInvalidError, match=r"step 7 .*seal\.consistency\.json"):
            verify_package_bytes(data, released.root.fingerprint)


def test_an_exported_artifact_that_nothing_is_about(
    released: World, sealed_members: dict[str, bytes]
) -> None:
    refused(
        released,
        "step 10 .*no evidence in the package is about",
        dict(sealed_members),
        artifacts=[Digest("11" * 32)],
    )


class TestBrokenChains:
    """Each records something that contradicts itself, with genuine signatures throughout."""

    def base(self, world: World) -> tuple[list[Digest], Digest]:
        world.enrol("ada")
        posture = world.posture()
        inputs = [posture, world.provenance(posture)]
        return inputs, world.decide(inputs)

    def test_the_base_holds(self, world: World) -> None:
        _, decision = self.base(world)
        world.deploy(decision, [world.approve("ada", decision)])
        assert len(verify(world, world.members()).artifacts) == 1

    def test_deployed_under_a_refusal(self, world: World) -> None:
        inputs, _ = self.base(world)
        refusal = world.decide(inputs, document=world.decision_document(inputs, decision="deny"))
        world.deploy(refusal, [])
        refused(world, "step 10 .*which did not pass")

    @pytest.mark.parametrize(
        ("changed", "match"),
        [
            ({"environment": "staging"}, "is for another environment"),
            ({"plan": {"digest": {"sha256": "22" * 32}}}, "is for another plan"),
        ],
    )
    def test_an_approval_of_something_else(self, world: World, changed: dict[str, Any], match: str) -> None:
        _, decision = self.base(world)
        world.deploy(decision, [world.approve("ada", decision, **changed)])
        refused(world, f"step 10 .*{match}")

    def test_an_approval_of_another_decision(self, world: World) -> None:
        inputs, first = self.base(world)
        approval = world.approve("ada", first)
        world.deploy(world.decide(inputs), [approval])
        refused(world, "step 10 .*is for another decision")

    def test_an_approval_that_had_expired(self, world: World) -> None:
        _, decision = self.base(world)
        approval = world.approve("ada", decision, lasting=timedelta(hours=1))
        world.clock.advance(hours=2)
        world.deploy(decision, [approval])
        refused(world, "step 10 .*had expired when the deployment began")

    def test_one_approval_counted_twice(self, world: World) -> None:
        _, decision = self.base(world)
        approval = world.approve("ada", decision)
        world.deploy(decision, [approval, approval])
        refused(world, "step 10 .*one approval counted twice")

    def test_an_approval_in_anothers_name(self, world: World) -> None:
        _, decision = self.base(world)
        world.enrol("eve")
        world.deploy(decision, [world.approve("ada", decision, by="eve")])
        refused(world, "step 10 .*does not count: an approval in the name of 'ada', by eve's key")

    def test_an_approval_that_does_not_exist(self, world: World) -> None:
        _, decision = self.base(world)
        world.deploy(decision, [Digest("33" * 32)])
        refused(world, "step 10 .*approval sha256:3333.* is not in the package")

    def test_something_else_in_an_approvals_place(self, world: World) -> None:
        inputs, decision = self.base(world)
        world.deploy(decision, [inputs[1]])
        refused(world, "step 10 .*is no approval")

    def test_a_decision_by_someone_else_than_the_verifier(self, world: World) -> None:
        inputs, _ = self.base(world)
        decision = world.decide(inputs, signer="builder")
        world.deploy(decision, [])
        refused(world, "step 10 .*does not count: a vsa signed by spiffe://pratique.local/builder")

    def test_a_decision_about_another_artifact(self, world: World) -> None:
        inputs, _ = self.base(world)
        other = world.blobs.put(b"another artifact")
        document = world.decision_document(inputs, subject=[{"name": "x", "digest": other.digest_set}])
        world.decide(inputs, document=document)
        refused(world, "step 10 .*its subject is not that of the decision it names")

    def test_a_decision_on_evidence_about_another_artifact(self, world: World) -> None:
        inputs, _ = self.base(world)
        foreign = world.claim("scanner", p.SBOM, {"components": []}, world.blobs.put(b"another artifact"))
        world.decide([*inputs, foreign])
        refused(world, "step 10 .*is about another artifact")

    def test_a_deployment_of_another_artifact_under_the_decision(self, world: World) -> None:
        _, decision = self.base(world)
        first, world.artifact = world.artifact, world.blobs.put(b"another artifact")
        world.deploy(decision, [])
        world.artifact = first
        refused(world, "step 10 .*is about another artifact")

    @pytest.mark.parametrize(
        ("changed", "match"),
        [
            ({"verificationResult": "FAILED"}, "its verification result is not that of the decision"),
            ({"inputAttestations": []}, "its policy or inputs are not those of the decision"),
            (
                {"policy": {"digest": {"sha256": "44" * 32}}},
                "its policy or inputs are not those of the decision",
            ),
            ({"policy": None}, "policy: missing"),
            (
                {"https://pratique.dev/decision": {"digest": {"sha256": "55" * 32}}},
                "decision sha256:5555.* is not in",
            ),
        ],
    )
    def test_a_summary_that_is_not_its_decisions(
        self, world: World, changed: dict[str, Any], match: str
    ) -> None:
        inputs, _ = self.base(world)
        world.decide(inputs, **changed)
        refused(world, f"step 10 .*{match}")

    def test_a_pass_on_no_evidence(self, world: World) -> None:
        self.base(world)
        world.decide([])
        refused(world, "step 10 .*passed on no evidence at all")

    def test_set_aside_evidence_left_out(self, world: World) -> None:
        inputs, _ = self.base(world)
        document = world.decision_document(inputs, set_aside=[{"digest": f"sha256:{'66' * 32}"}])
        world.decide(inputs, document=document)
        refused(world, "step 10 .*which it set aside, is not in the package")

    def test_a_runner_check_of_another_build(self, world: World) -> None:
        world.provenance(world.posture("i-other"))
        refused(world, "step 10 .*is of another build")

    def test_a_rebuild_whose_verdict_contradicts_it(self, world: World) -> None:
        world.rebuild(Digest("77" * 32))
        refused(world, "step 10 .*its verdict contradicts the digests it compares")

    def test_a_decision_document_that_is_no_json(self, world: World) -> None:
        inputs, _ = self.base(world)
        world.decide(
            inputs, **{"https://pratique.dev/decision": {"digest": world.blobs.put(b"{").digest_set}}
        )
        refused(world, "step 10 .*not JSON")


def test_a_person_without_a_role_when_signing(world: World) -> None:
    world.enrol("ada", roles=())
    posture = world.posture()
    decision = world.decide([posture, world.provenance(posture)])
    world.deploy(decision, [world.approve("ada", decision)])
    refused(world, "step 10 .*does not count: an approval by ada, who held no role when signing")


def test_a_blob_nobody_refers_to_does_no_harm(world: World) -> None:
    world.release()
    world.blobs.put(canonical_json({"unused": True}))
    assert len(verify(world, world.members()).artifacts) == 1


def test_an_export_that_would_not_verify_is_not_written(world: World, tmp_path: Path) -> None:
    posture = world.posture()
    inputs = [posture, world.provenance(posture)]
    refusal = world.decide(inputs, document=world.decision_document(inputs, decision="deny"))
    world.deploy(refusal, [])
    with pytest.raises(EvidenceInvalidError, match="which did not pass"):
        world.export(tmp_path / "audit.tar")
    assert not (tmp_path / "audit.tar").exists()


class TestRollback:
    """A roll-back goes by the approvals of what it returns to, and by a decision of its own."""

    @pytest.fixture
    def rolled(self, world: World) -> tuple[World, dict[str, Digest], Digest]:
        made = world.release()
        today = world.decide([made["posture"], made["provenance"], made["rebuild"]])
        return world, made, today

    def roll_back(self, world: World, decision: Digest, approvals: list[Digest], **changed: Any) -> Digest:
        plan = {"digest": sha256_bytes(b"another plan").digest_set}
        fields = {"action": "rollback", "plan": plan, **changed}
        return world.deploy(decision, approvals, **fields)

    def test_it_holds(self, rolled: tuple[World, dict[str, Digest], Digest], tmp_path: Path) -> None:
        world, made, today = rolled
        self.roll_back(world, today, [made["approval"]])
        world.export(tmp_path / "package")

    def test_to_what_was_never_live_there(
        self, rolled: tuple[World, dict[str, Digest], Digest], tmp_path: Path
    ) -> None:
        world, made, today = rolled
        self.roll_back(world, today, [made["approval"]], environment="elsewhere")
        with pytest.raises(EvidenceInvalidError, match="never live in elsewhere"):
            world.export(tmp_path / "package")

    def test_with_an_approval_it_did_not_go_live_with(
        self, rolled: tuple[World, dict[str, Digest], Digest], tmp_path: Path
    ) -> None:
        world, _, today = rolled
        later = world.approve("ada", today)
        self.roll_back(world, today, [later])
        with pytest.raises(EvidenceInvalidError, match="not one it went live with before"):
            world.export(tmp_path / "package")


def test_an_approval_that_says_nothing_does_not_count_and_breaks_nothing(
    world: World, tmp_path: Path
) -> None:
    world.release()
    about = Subject("harbour-1.whl", world.artifact.digest_set)
    world.record(world.people["ada"], Statement((about,), p.APPROVAL, {"person": "ada"}))
    data = world.export(tmp_path / "package")
    result = verify_package_bytes(data, world.root.fingerprint)
    assert any("does not count" in warning for warning in result.warnings)
