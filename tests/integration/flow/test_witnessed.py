"""A policy that asks for two of three witnesses: refused, with the way out, until they have cosigned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Project

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]


def cosigned(project: Project, witness: Path, old: int) -> int:
    """Let a witness that knows the log at size `old` cosign it, by files, and give the size."""
    request, answer = witness / "request", witness / "answer"
    request.write_text(project.ask("log", "checkpoint", "--with-proof-from", str(old))["request"])
    root = project.home / "trust" / "trusted_root.json"
    answer.write_text(project.ask("witness", "cosign", witness, request, "--log", root)["checkpoint"])
    size: int = project.ask("log", "collect", answer, "--witness", witness / "witness.vkey")["size"]
    return size


def test_evidence_counts_once_two_of_three_witnesses_saw_it(released: Project, tmp_path: Path) -> None:
    witnesses = [tmp_path / f"w{number}" for number in range(3)]
    keys = [
        released.ask("witness", "init", folder, "--name", f"{folder.name}.example.com")["vkey"]
        for folder in witnesses
    ]
    asked = f"[policy.trust.witnesses]\nkeys = {keys!r}\nthreshold = 2\n\n[environments"
    released.write("pratique.toml", released.read("pratique.toml").replace("[environments", asked, 1))

    said = released.run("gate", expect=1)
    assert "the 2 witnesses that it takes have cosigned 0 entries" in said
    assert "pratique log collect" in said
    first = cosigned(released, witnesses[0], 0)
    released.run("gate", expect=1)  # one is not enough
    cosigned(released, witnesses[2], 0)
    assert released.ask("gate")["verdict"] == "allow"

    released.release("1.2.0")
    said = released.run("ship", expect=1)  # its evidence lies beyond what they saw
    assert "have cosigned" in said
    for witness in (witnesses[0], witnesses[2]):
        assert cosigned(released, witness, first) > first
    released.run("ship", *released.approving())
