"""`pratique verify` on evidence that others made, as a user asks for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pratique.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

Run = Callable[..., tuple[int, dict[str, Any]]]
GITHUB = "https://token.actions.githubusercontent.com"
PUBLISH = "https://github.com/bazel-contrib/publish-to-bcr/.github/workflows/publish.yaml@refs/tags/*"


@pytest.fixture
def evidence(test_data: Path) -> Path:
    return test_data / "evidence"


def _run(
    capsys: pytest.CaptureFixture[str], evidence: Path, target: str, bundle: str, *more: str
) -> tuple[int, dict[str, Any]]:
    root = evidence / "public-good.trusted_root.json"
    words = ["verify", str(evidence / target), "--bundle", str(evidence / bundle), "--root", str(root)]
    code = main([*words, "--json", *more])
    return code, json.loads(capsys.readouterr().out)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], evidence: Path) -> Run:
    return partial(_run, capsys, evidence)


def who(identity: str, issuer: str = GITHUB) -> tuple[str, ...]:
    return ("--certificate-identity", identity, "--certificate-oidc-issuer", issuer)


def test_whom_the_user_names_is_accepted_and_by_which_rule(run: Run) -> None:
    code, body = run("github/MODULE.bazel", "github/MODULE.bazel.intoto.jsonl", *who(PUBLISH))
    assert (code, body["accepted"]) == (0, True)
    ((by,),) = [role["by"] for role in body["roles"]]
    assert by == {
        "signer": PUBLISH.replace("*", "v0.0.1"),
        "issuer": GITHUB,
        "rule": {"issuer": GITHUB, "subject": PUBLISH},
    }
    (item,) = body["evidence"]
    assert item["aboutTarget"]
    assert item["logs"] == [
        {"origin": "rekor.sigstore.dev", "index": 188622862, "by": "proof", "treeSize": 66718601}
    ]


def test_without_a_rule_the_answer_is_no_and_says_who_signed(run: Run) -> None:
    code, body = run("github/MODULE.bazel", "github/MODULE.bazel.intoto.jsonl")
    assert (code, body["accepted"], body["roles"]) == (1, False, [])
    assert body["evidence"][0]["signer"]["subject"] == PUBLISH.replace("*", "v0.0.1")


def test_a_wrong_signer_is_refused(run: Run) -> None:
    code, body = run(
        "github/MODULE-wrong-signer.bazel", "github/MODULE-wrong-signer.bazel.intoto.jsonl", *who(PUBLISH)
    )
    assert (code, body["accepted"]) == (1, False)
    assert body["setAside"] == [
        {
            "signer": "https://github.com/loosebazooka/aa-test/.github/workflows/malicious_attestation.yaml"
            "@refs/heads/main",
            "reason": "matches no role of the policy",
        }
    ]


def test_evidence_about_another_file(run: Run) -> None:
    code, body = run("slsa-generator/annotated-tag", "github/MODULE.bazel.intoto.jsonl", *who(PUBLISH))
    assert (code, body["accepted"], body["evidence"][0]["aboutTarget"]) == (1, False, False)
    assert body["setAside"][0]["reason"] == "is about something else than this artifact"


@pytest.mark.parametrize("more", [("--predicate-type", "sbom"), ("--max-age", "30")])
def test_what_and_how_old(run: Run, more: tuple[str, ...]) -> None:
    code, _ = run("github/MODULE.bazel", "github/MODULE.bazel.intoto.jsonl", *who(PUBLISH), *more)
    assert code == 1


def test_npm_by_sha512_with_a_policy(run: Run, tmp_path: Path) -> None:
    identity = "https://github.com/ramonpetgrave64/gundam-visor/.github/workflows/npm-publish.yml@refs/tags/*"
    policy = tmp_path / "policy.toml"
    policy.write_text(
        f'[roles.builder]\nsigners = [{{issuer = "{GITHUB}", subject = "{identity}"}}]\n'
        'may_sign = ["provenance"]\n'
    )
    name = "npm/gundam-visor-cli-v1-tag.tgz"
    code, body = run(name, f"{name}.json", "--policy", str(policy))
    assert (code, body["roles"][0]["filled"]) == (0, True)
    assert "not among the 0 given" in body["unknown"][0]["reason"]  # npm's own signature: nobody gave its key


def test_no_time_is_unknown(run: Run) -> None:
    identity = (
        "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_generic_slsa3.yml"
        "@refs/tags/*"
    )
    name = "slsa-generator/annotated-tag"
    code, body = run(name, f"{name}.intoto.jsonl", *who(identity))
    assert (code, body["accepted"], body["evidence"]) == (3, False, [])
    assert "nothing here says when" in body["unknown"][0]["reason"]


def test_directories(run: Run, evidence: Path, tmp_path: Path) -> None:
    """A directory is all of its files: a build of one file fills it, one more file does not."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "MODULE.bazel").write_bytes((evidence / "github/MODULE.bazel").read_bytes())
    bundle = "github/MODULE.bazel.intoto.jsonl"
    code, body = run(str(tree), bundle, *who(PUBLISH))
    subjects = list(body["digests"])
    assert subjects == ["MODULE.bazel"]
    assert code == (0 if body["evidence"][0]["aboutTarget"] else 1)
    (tree / "more").write_bytes(b"")
    code, body = run(str(tree), bundle, *who(PUBLISH))
    assert (code, body["evidence"][0]["aboutTarget"]) == (1, False)
