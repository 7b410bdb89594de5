"""A released policy: what is accepted of it, and everything that is refused before any of it is used."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from pratique.errors import EvidenceInvalidError, MalformedError, PolicyRefusedError, UsageError
from pratique.flow.artifact import Artifact
from pratique.flow.bundle_config import BundleConfig
from pratique.flow.config import Project as Configured
from pratique.flow.config import parse_config
from pratique.flow.gate import gate
from pratique.flow.policy import policy_in_force, policy_of
from pratique.flow.policy_archive import POLICY, Packed, pack, unpack
from pratique.flow.policy_publish import make_release
from pratique.flow.policy_release import Pin, accept, accepted_by
from pratique.flow.trust import init_trust
from pratique.flow.workspace import Workspace
from pratique.model.digest import sha256_bytes
from pratique.model.predicate import POLICY_RELEASE
from pratique.policy.shipped import shipped_bundle
from pratique.store import plain_tar
from pratique.trust.bundle import key_id_of
from pratique.trust.keys import load_public_key
from pratique.trust.statement import Subject

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import State

END = dt.datetime(2026, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
ADMINISTRATOR = "spiffe://pratique.local/administrator"
CONFIG = {
    "project": {"name": "app"},
    "build": {"recipe": "python-wheel", "tools": "build.lock", "source": {"directory": "."}},
    "scan": {"advisories": [{"name": "a", "path": "a", "date": dt.date(2026, 11, 1), "licence": "CC0-1.0"}]},
}


def released(state: State, *, expires: dt.datetime = END, key: Path | None = None) -> bytes:
    made = make_release(
        state.workspace,
        shipped_bundle("high").encode(),
        POLICY,
        name="acme/base",
        version="1",
        expires=expires,
        key=str(key) if key else None,
        ask=lambda _: b"",
    )
    return made.archive


def project(state: State, archive: bytes, **changes: str) -> Configured:
    (state.folder / "base.tar").write_bytes(archive)
    pinned = {"path": "base.tar", "digest": str(shipped_bundle("high").digest), "signer": ADMINISTRATOR}
    table = {**CONFIG, "policy": {"bundle": pinned | changes}}
    return Configured(root=state.folder, config=parse_config(table, what="pratique.toml"))


def test_the_policy_in_force_is_the_released_one(state: State) -> None:
    found = policy_of(state.workspace, project(state, released(state)))
    assert found == shipped_bundle("high")


def test_a_verification_summary_names_the_release_and_the_digest_of_its_policy(state: State) -> None:
    artifact = Artifact("app-1.whl", sha256_bytes(b"an artifact"))
    decided = gate(state.workspace, project(state, released(state)), artifact)
    policy = state.workspace.verify(decided.evidence).statement.predicate["policy"]
    assert policy == {
        "uri": "https://pratique.dev/policy/bundle/acme/base@1",
        "digest": shipped_bundle("high").digest.digest_set,
    }


def test_other_policies_are_named_by_where_they_come_from(state: State) -> None:
    assert policy_in_force(state.workspace, state.project()).uri == "https://pratique.dev/policy/shipped"
    own = state.folder / "p"
    own.mkdir()
    own.joinpath("mine.rego").write_text(
        "package mine\n\nimport rego.v1\n\n# METADATA\n# title: One\n# custom:\n#   short_name: one\n"
        "deny contains found if some found in input.nothing\n"
    )
    own.joinpath("data.json").write_text("{}")
    own.joinpath("trust.toml").write_text(
        "trust_domain = 'pratique.local'\n[roles.scanner]\nsigners = ['spiffe://{trust_domain}/scanner']\n"
        "may_sign = ['sbom']\n[require.sbom]\ncommand = 'make sbom'\n"
    )
    found = policy_in_force(state.workspace, state.project(folder="p"))
    assert found.uri == "https://pratique.dev/policy/own"


def test_the_archive_reads_back_and_is_the_same_each_time(state: State) -> None:
    archive = released(state)
    packed = unpack(archive, "a.tar")
    assert pack(packed) == archive
    assert packed.policy == shipped_bundle("high").encode()
    files = {member.name: member.data for member in plain_tar.parse(archive)}
    for name, data in files.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{sha256_bytes(data).hex}"
    index = json.loads(files["index.json"])
    named = {
        item["artifactType"]: json.loads(files["blobs/sha256/" + item["digest"][7:]])
        for item in index["manifests"]
    }
    policy = named["application/vnd.pratique.policy.v1"]
    assert [layer["digest"] for layer in policy["layers"]] == [str(shipped_bundle("high").digest)]
    signature = named["application/vnd.dev.sigstore.bundle.v0.3+json"]
    assert signature["subject"]["digest"] == index["manifests"][0]["digest"]


def test_an_expired_policy_decides_nothing(state: State) -> None:
    configured = project(state, released(state))
    state.clock.now = END
    assert policy_of(state.workspace, configured)
    state.clock.now = END + dt.timedelta(seconds=1)
    with pytest.raises(EvidenceInvalidError, match="acme/base 1 expired at 2026-12-31T23:59:59Z"):
        policy_of(state.workspace, configured)


@pytest.mark.parametrize(("days", "said"), [(15, ""), (14, "expires in 14 days"), (0, "expires in 0 days")])
def test_the_end_is_announced_two_weeks_ahead(state: State, days: int, said: str) -> None:
    configured = project(state, released(state))
    state.clock.now = END - dt.timedelta(days=days)
    notice = policy_in_force(state.workspace, configured).notice
    assert said in notice if said else notice == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"digest": f"sha256:{'0' * 64}"}, "where sha256:000"),
        ({"signer": "spiffe://pratique.local/builder"}, "where spiffe://pratique.local/builder must sign"),
        ({"signer": "spiffe://acme.example/administrator"}, "must sign"),
        ({"signer": f"key:sha256:{'0' * 64}"}, "must sign"),
    ],
)
def test_another_policy_or_signer_than_pinned_is_refused(
    state: State, changes: dict[str, str], said: str
) -> None:
    with pytest.raises(EvidenceInvalidError, match=said):
        policy_of(state.workspace, project(state, released(state), **changes))


def test_a_policy_of_another_trust_root_is_refused_without_that_root(state: State, tmp_path: Path) -> None:
    home = tmp_path / "theirs"
    init_trust(home, trust_domain="acme.example", clock=state.clock)
    theirs = Workspace.open(home, clock=state.clock)
    made = make_release(
        theirs,
        shipped_bundle("high").encode(),
        POLICY,
        name="acme/base",
        version="1",
        expires=END,
        key=None,
        ask=lambda _: b"",
    )
    signer = {"signer": "spiffe://acme.example/administrator"}
    with pytest.raises(EvidenceInvalidError, match="step"):
        policy_of(state.workspace, project(state, made.archive, **signer))
    (state.folder / "acme-root.json").write_bytes((home / "trust" / "trusted_root.json").read_bytes())
    with_root = project(state, made.archive, **signer, trusted_root="acme-root.json")
    assert policy_of(state.workspace, with_root) == shipped_bundle("high")


def test_a_person_can_release_and_is_known_by_enrolment_or_by_a_key_on_file(state: State) -> None:
    key = state.enrol("ada")
    archive = released(state, key=key)
    public = key.with_name("ada.key.pub")
    signer = {"signer": f"key:sha256:{key_id_of(load_public_key(public))}"}
    assert policy_of(state.workspace, project(state, archive, **signer))
    root = {"trusted_root": "home/trust/trusted_root.json"}
    with pytest.raises(EvidenceInvalidError, match="not enrolled"):
        policy_of(state.workspace, project(state, archive, **signer, **root))
    assert policy_of(state.workspace, project(state, archive, **signer, **root, key="ada.key.pub"))


def test_a_stranger_releases_nothing(state: State) -> None:
    with pytest.raises(PolicyRefusedError, match="not enrolled"):
        released(state, key=state.key("mallory"))


def test_a_release_that_would_be_over_at_once_is_not_made(state: State) -> None:
    before = state.workspace.journal.head().size
    with pytest.raises(UsageError, match="expired before"):
        released(state, expires=state.clock.now)
    assert state.workspace.journal.head().size == before


def judged(state: State, packed: Packed) -> None:
    table = BundleConfig(digest=str(packed.artifact.policy.digest), signer=ADMINISTRATOR, path="x")
    accepted = accepted_by(state.workspace, Pin(config=table, folder=state.folder))
    accept(packed, accepted, at=state.clock.now, what="x")


def test_a_signature_over_another_policy_does_not_carry_over(state: State) -> None:
    good = unpack(released(state), "a")
    other = make_release(
        state.workspace,
        shipped_bundle("starter").encode(),
        POLICY,
        name="acme/base",
        version="2",
        expires=END,
        key=None,
        ask=lambda _: b"",
    )
    judged(state, good)
    swapped = msgspec.structs.replace(unpack(other.archive, "b"), signature=good.signature)
    with pytest.raises(EvidenceInvalidError, match="about another policy"):
        judged(state, swapped)
    under_a_false_name = msgspec.structs.replace(good, policy=unpack(other.archive, "b").policy)
    with pytest.raises(EvidenceInvalidError, match="is pinned"):
        judged(state, under_a_false_name)


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("https://pratique.dev/predicate/waiver/v1", {}, "no policy release"),
        (POLICY_RELEASE, {"name": "a", "version": "1"}, "its fields"),
        (
            POLICY_RELEASE,
            {"name": "a", "version": "1", "expires": "2027-01-01T00:00:00Z", "for": "x"},
            "its fields",
        ),
        (POLICY_RELEASE, {"name": "a", "version": "1", "expires": "never"}, "not an RFC 3339 time"),
        (POLICY_RELEASE, {"name": "A", "version": "1", "expires": "2027-01-01T00:00:00Z"}, "no name"),
        (POLICY_RELEASE, {"name": "a", "version": 1, "expires": "2027-01-01T00:00:00Z"}, "not text"),
    ],
)
def test_a_statement_that_is_no_release_is_refused(
    state: State, kind: str, body: dict[str, object], said: str
) -> None:
    good = unpack(released(state), "a")
    subject = Subject("p", good.artifact.policy.digest.digest_set)
    signed = state.workspace.record("administrator", kind, body, [subject])
    wrong = msgspec.structs.replace(good, signature=state.workspace.journal.get(signed.digest))
    with pytest.raises(EvidenceInvalidError, match=said):
        judged(state, wrong)


def test_an_archive_without_a_signature_is_refused(state: State) -> None:
    files = {member.name: member.data for member in plain_tar.parse(released(state))}
    index = json.loads(files["index.json"])
    index["manifests"] = index["manifests"][:1]
    files["index.json"] = json.dumps(index).encode()
    data = plain_tar.encode(plain_tar.Member(*item) for item in sorted(files.items())) + plain_tar.END
    with pytest.raises(EvidenceInvalidError, match="the policy is not signed"):
        unpack(data, "a.tar")


@pytest.mark.parametrize("at", [0, 200, 700, 2000, 5000, -1100])
def test_a_changed_byte_is_refused(state: State, at: int) -> None:
    data = bytearray(released(state))
    data[at] ^= 1
    with pytest.raises((MalformedError, EvidenceInvalidError)):
        judged(state, unpack(bytes(data), "a.tar"))


def test_more_than_one_release_in_an_archive_is_refused(state: State) -> None:
    files = {member.name: member.data for member in plain_tar.parse(released(state))}
    files["note.txt"] = b"hello"
    data = plain_tar.encode(plain_tar.Member(*item) for item in sorted(files.items())) + plain_tar.END
    with pytest.raises(MalformedError, match="written another way"):
        unpack(data, "a.tar")


def test_an_archive_that_is_too_large_is_refused() -> None:
    with pytest.raises(MalformedError, match="larger than"):
        unpack(bytes((64 << 20) + 1), "a.tar")


def test_nothing_but_the_bundle_counts_beside_a_bundle() -> None:
    pinned = {"path": "a", "digest": f"sha256:{'0' * 64}", "signer": ADMINISTRATOR}
    for other in ({"rules": "policy"}, {"folder": "policy"}, {"data": {"vulns": {}}}, {"profile": "high"}):
        with pytest.raises(UsageError, match="nothing else"):
            parse_config({**CONFIG, "policy": {"bundle": pinned, **other}}, what="pratique.toml")
    for wrong in ({"path": None}, {"oci": "oci://a/b@sha256:0"}):
        with pytest.raises(UsageError, match="exactly one of path, oci"):
            parse_config({**CONFIG, "policy": {"bundle": pinned | wrong}}, what="pratique.toml")
