"""Working on a policy beside a project that was released: trying it, comparing it, pinning it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Project

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]


def test_a_rule_is_tried_on_the_past_and_then_pinned_as_a_bundle(released: Project, tmp_path: Path) -> None:
    before = released.ask("log", "list")
    released.run("policy", "init", "policy")
    assert "4 passed, 0 failed" in released.run("policy", "test", "policy")

    same = released.ask("policy", "diff", "current", "current")
    assert same["policy"] == []
    assert len(same["decisions"]) == 2
    assert all(item["difference"]["moved"] == [] for item in same["decisions"])

    # The rule looks and finds nothing; with a stricter shipped setting, another one fires.
    tried = released.ask("policy", "eval", "policy", "--save", tmp_path / "saved.json")
    assert {item["code"]: item["status"] for item in tried["results"]}["components.unwanted"] == "success"
    saved = ["policy", "eval", "policy", "--input", tmp_path / "saved.json"]
    for stricter, code in (
        (["--data", "vulns.max_database_age_days=1"], "vulns.database-age"),
        (["--at", "2030-01-01T00:00:00Z"], "evidence.vulns"),
    ):
        refused = released.ask(*saved, *stricter, expect=1)
        assert code in {item["code"] for item in refused["results"] if item["status"] == "violation"}

    found = released.ask("policy", "diff", "shipped:standard", "policy")
    assert {(item["part"], item["name"]) for item in found["policy"]} == {
        ("rule", "components.unwanted"),
        ("module", "project/components.rego"),
        ("data", "custom"),
        ("data", "custom.unwanted"),
    }
    assert released.ask("log", "list") == before  # nothing of all this was journalled

    made = released.ask(
        "policy",
        "bundle",
        "policy",
        "-o",
        "base.tar",
        "--name",
        "buoy/base",
        "--version",
        "1",
        "--expires",
        "2099-01-01",
    )
    text = released.read("pratique.toml")
    start, end = text.index("[policy.data]"), text.index("[environments")
    pinned = f"""[policy.bundle]
path = "base.tar"
digest = "{made["policy"]}"
signer = "{made["signer"]}"

"""
    released.write("pratique.toml", text[:start] + pinned + text[end:])
    assert released.ask("policy", "eval", "current", "--input", tmp_path / "saved.json")["policy"]["digest"][
        "sha256"
    ] == made["policy"].removeprefix("sha256:")
    gated = released.ask("gate")
    assert {item["code"] for item in gated["results"] if item["status"] == "success"} >= {
        "components.unwanted"
    }

    released.write("pratique.toml", text[:start] + pinned.replace("administrator", "builder") + text[end:])
    assert "must sign" in released.run("gate", expect=4)
    archive = bytearray((released.folder / "base.tar").read_bytes())
    archive[3000] ^= 1
    (released.folder / "base.tar").write_bytes(archive)
    released.write("pratique.toml", text[:start] + pinned + text[end:])
    assert "error: " in released.run("gate", expect=4)
    (released.folder / "base.tar").unlink()
    assert "the policy bundle cannot be read" in released.run("ship", expect=2)


def test_an_example_beside_the_rules_is_a_test(released: Project) -> None:
    released.run("policy", "init", "policy")
    saved = released.folder / "policy" / "components.unwanted.pass.json"
    released.run("policy", "eval", "policy", "--save", saved)
    document = json.loads(saved.read_text())
    for item in document["evidence"]:
        if item["predicate_type"] == "https://cyclonedx.org/bom":
            item["predicate"]["components"] = [
                {"type": "library", "name": "left-pad", "purl": "pkg:npm/left-pad@1.0.0"}
            ]
    worse = saved.with_name("components.unwanted.left-pad.deny.json")
    worse.write_text(json.dumps(document))
    assert "6 passed" in released.run("policy", "test", "policy")
    worse.rename(worse.with_name("components.unwanted.left-pad.pass.json"))
    said = released.run("policy", "test", "policy", expect=1)
    assert "components.unwanted came to violation" in said
    assert "5 passed, 1 failed" in said
    saved.rename(saved.with_name("nothing.known.pass.json"))
    assert "no code that a rule" in released.run("policy", "test", "policy", expect=3)


def test_a_decision_is_explained_down_to_the_condition(released: Project) -> None:
    told = released.run("explain", "--all")
    assert "success: vulns.threshold (high): No vulnerability at or above the threshold" in told
    assert "  looked at: vulns sha256:" in told
    one = released.run("explain", "--rule", "rebuild.identical")
    assert one.splitlines()[2].startswith("success: rebuild.identical (critical)")
    assert "vulns" not in one
    assert "the decision says nothing about 'x'" in released.run("explain", "--rule", "x", expect=2)

    vsa = released.ask("log", "list", "--type", "vsa")["entries"][0]["evidence"]
    assert released.run("explain", vsa) == released.run("explain")

    stale = ["--data", "vulns.max_database_age_days=1"]
    refused = released.run("policy", "eval", *stale, "--explain", expect=1)
    assert "refused: vulns.database-age" in refused
    assert "  because:   vulns.rego:" in refused
    assert "(not met)" in refused
    assert "  tried:     waived by " in refused
    assert "the artifact passes" in refused
