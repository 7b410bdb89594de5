"""Back to what was live before: what that rests on, and what it means for going forward again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Project

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]


def log_size(project: Project) -> int:
    return len(project.ask("log", "list", "-n", "10000")["entries"])


def test_a_roll_back_leads_back_and_never_forward(released: Project) -> None:
    newer = released.ask("status")["live"]
    back = released.ask("rollback")
    older = back["artifact"]["digest"]
    assert back["approvers"] == "ada, grace"
    status = released.ask("status")
    assert (status["live"], status["action"], status["inSync"]) == (older, "rollback", True)

    said = released.run("rollback", expect=2)  # run twice by mistake, it does not bring the newer one back
    assert "nothing was live before" in said
    said = released.run("rollback", "--to", newer, expect=2)
    assert f"{newer} is what was rolled back from" in said
    assert released.ask("status")["live"] == older


def test_what_was_rolled_back_from_needs_new_approvals(released: Project) -> None:
    newer = released.ask("status")["live"]
    released.run("rollback")
    waiting = released.ask("ship", expect=6)
    assert "the approval of ada was given before buoy.shelf was rolled back from it" in waiting["waitingFor"]
    assert "2 more with role approver (ada or grace)" in waiting["waitingFor"]
    first = released.ask("log", "list", "--type", "deployment")["entries"]
    again = released.ask("ship", *released.approving())
    assert again["deployment"]["artifact"]["digest"] == newer
    assert released.ask("status")["live"] == newer
    ids = {released.ask("verify", entry["evidence"])["predicate"]["deploymentId"] for entry in first}
    assert again["deployment"]["deploymentId"] not in ids  # another decision of people, another deployment


def test_a_decision_is_journalled_again_only_if_it_changed(released: Project) -> None:
    entries = log_size(released)
    first: dict[str, Any] = released.ask("gate")
    assert released.ask("gate") == first
    assert log_size(released) == entries

    config = released.read("pratique.toml")
    released.write(
        "pratique.toml",
        config.replace(
            'levels."posture.critical" = "warn"',
            'levels."posture.critical" = "warn"\nvulns.threshold = "low"',
        ),
    )
    second = released.ask("gate")
    assert second["evidence"] != first["evidence"]
    assert second["verdict"] == first["verdict"]
    assert log_size(released) == entries + 1
    released.write("pratique.toml", config)
    third = released.ask("gate")  # back to the first policy: decided once more, as the newest decision counts
    assert third["evidence"] not in {first["evidence"], second["evidence"]}
    assert log_size(released) == entries + 2


def test_what_is_live_is_not_asked_about_again(released: Project) -> None:
    """A new decision needs new approvals to go live under; what is live already stays as it is."""
    before = released.ask("status")
    released.write(
        "pratique.toml",
        released.read("pratique.toml").replace(
            "vulns.max_database_age_days = 36500", "vulns.max_database_age_days = 36000"
        ),
    )
    live = released.ask("deploy")
    assert live["decision"] == before["decision"]
    assert released.ask("status")["history"] == before["history"]


def test_a_revoked_key_takes_its_approvals_along(released: Project) -> None:
    """Ada's key turns out to have been stolen long ago."""
    ada = released.keys[0]
    released.run(
        "trust", "enrol", "ada", "--key", f"{ada}.pub", "--email", "ada@buoy.example", "--role", "approver",
        "--until", "2020-01-01",
    )  # fmt: skip
    said = released.run("rollback", expect=1)
    assert "on an approval that does not hold any more" in said
    assert "pratique deploy sha256:" in said
    waiting = released.ask("ship", expect=6)
    assert "1 more with role approver (nobody enrolled is left to ask)" in waiting["waitingFor"]
    status = released.ask("status")
    assert any("no longer valid" in name for name in status["approvers"])
    assert status["inSync"] is True
