from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from ci_tokens import GITHUB

from pratique.server.config import IssuerConfig
from pratique.server.oidc.principal import ClaimError, check_claims, principal_of

URL = "https://issuer.example.org"
NOW = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
GOOD = {"iss": URL, "aud": "sigstore", "sub": "x", "iat": SECONDS, "exp": SECONDS + 300}


def config(kind: str, **more: Any) -> IssuerConfig:
    return IssuerConfig(url=URL, type=kind, **more)


def test_github_is_certified_as_fulcio_would() -> None:
    """Expected by Fulcio's config/identity/config.yaml and docs/oid-info.md."""
    principal = principal_of(GITHUB, config("github-workflow"))
    base = "https://github.com/octo-org"
    assert principal.identity.subject == f"{base}/octo-automation/.github/workflows/oidc.yml@refs/heads/main"
    assert (principal.email, principal.challenge) == (False, GITHUB["sub"])
    assert principal.extensions == {
        2: "workflow_dispatch",
        3: "example-sha",
        4: "example-workflow",
        5: "octo-org/octo-repo",
        6: "refs/heads/main",
        9: f"{base}/octo-automation/.github/workflows/oidc.yml@refs/heads/main",
        10: "job-sha",
        11: "github-hosted",
        12: f"{base}/octo-repo",
        13: "example-sha",
        14: "refs/heads/main",
        15: "74",
        16: base,
        17: "65",
        18: f"{base}/octo-repo/.github/workflows/main.yml@refs/heads/main",
        19: "workflow-sha",
        20: "workflow_dispatch",
        21: f"{base}/octo-repo/actions/runs/example-run-id/attempts/2",
        22: "private",
        23: "prod",
        24: "repo:octo-org/octo-repo:environment:prod",
    }


def test_another_github_server_has_another_url() -> None:
    principal = principal_of(GITHUB, config("github-workflow", values={"url": "https://git.example.org"}))
    assert principal.identity.subject.startswith("https://git.example.org/octo-org/")


def test_gitlab_spells_refs_out() -> None:
    claims = {
        "sub": "project_path:team/app:ref_type:tag:ref:v1", "ref": "v1", "ref_type": "tag", "sha": "abc",
        "ci_config_ref_uri": "gitlab.com/team/app//.gitlab-ci.yml@refs/tags/v1", "ci_config_sha": "abc",
        "runner_environment": "self-hosted", "project_path": "team/app", "project_id": "22",
        "namespace_path": "team", "namespace_id": "72", "pipeline_source": "push", "job_id": "302",
        "project_visibility": "public",
    }  # fmt: skip
    principal = principal_of(claims, config("gitlab-pipeline"))
    assert principal.identity.subject == "https://gitlab.com/team/app//.gitlab-ci.yml@refs/tags/v1"
    assert principal.extensions[14] == "refs/tags/v1"
    assert principal.extensions[21] == "https://gitlab.com/team/app/-/jobs/302"
    assert 23 not in principal.extensions


def test_kubernetes() -> None:
    claims = {"sub": "s", "kubernetes.io": {"namespace": "a/b", "serviceaccount": {"name": "builder"}}}
    assert (
        principal_of(claims, config("kubernetes")).identity.subject
        == "https://kubernetes.io/namespaces/a%2Fb/serviceaccounts/builder"
    )


def test_custom_templates() -> None:
    own = config("custom", subject="https://ci.example.org/{project}", extensions={"build-trigger": "{why}"})
    principal = principal_of({"sub": "s", "project": "app", "why": True}, own)
    assert (principal.identity.subject, principal.extensions[20]) == ("https://ci.example.org/app", "true")


def test_an_email_address() -> None:
    claims = {"sub": "17", "email": "ada@example.org", "email_verified": True}
    principal = principal_of(claims, config("email"))
    assert (principal.identity.subject, principal.email) == ("ada@example.org", True)
    assert principal.challenge == "ada@example.org"


@pytest.mark.parametrize(
    ("kind", "claims", "more"),
    [
        ("email", {"sub": "1", "email": "ada@example.org"}, {}),
        ("email", {"sub": "1", "email": "ada@example.org", "email_verified": "true"}, {}),
        ("email", {"sub": "1", "email": "ada@example.org\n", "email_verified": True}, {}),
        ("email", {"sub": "1", "email": "ada@a..b", "email_verified": True}, {}),
        ("email", {"sub": "1", "email": "ädä@example.org", "email_verified": True}, {}),
        ("email", {"email": "ada@example.org", "email_verified": True}, {}),
        ("uri", {"sub": "https://evil.example.org/x"}, {"subject_domain": "https://example.org"}),
        ("uri", {"sub": "https://example.org@evil.org/x"}, {"subject_domain": "https://example.org"}),
        ("uri", {"sub": "http://example.org/x"}, {"subject_domain": "https://example.org"}),
        ("kubernetes", {"sub": "1", "kubernetes.io": {"namespace": "n"}}, {}),
        ("github-workflow", {**GITHUB, "job_workflow_ref": None}, {}),
        ("github-workflow", {**GITHUB, "job_workflow_ref": "a b"}, {}),
        ("github-workflow", {**GITHUB, "workflow": "x\n"}, {}),
        ("github-workflow", {**GITHUB, "sha": ["a"]}, {}),
        ("custom", {"sub": "1", "p": "x" * 1100}, {"subject": "https://a/{p}"}),
    ],
)
def test_claims_that_do_not_do(kind: str, claims: dict[str, Any], more: dict[str, Any]) -> None:
    with pytest.raises(ClaimError):
        principal_of(claims, config(kind, **more))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"aud": ["other", "sigstore"]}, None),
        ({"exp": SECONDS - 29}, None),
        ({"exp": SECONDS - 30, "iat": SECONDS - 90}, "token-expired"),
        ({"iat": SECONDS + 31, "exp": SECONDS + 99}, "token-early"),
        ({"nbf": SECONDS + 31}, "token-early"),
        ({"exp": SECONDS + 24 * 3600 + 1}, "token-long"),
        ({"exp": None}, "token-times"),
        ({"iat": True}, "token-times"),
        ({"exp": "9999999999"}, "token-times"),
        ({"aud": "other"}, "audience"),
        ({"aud": ["other"]}, "audience"),
        ({"aud": None}, "audience"),
        ({"iss": URL + "/"}, "issuer"),
    ],
)
def test_when_and_for_whom(change: dict[str, Any], reason: str | None) -> None:
    claims = {name: value for name, value in {**GOOD, **change}.items() if value is not None}
    if reason is None:
        check_claims(claims, config("email"), NOW)
        return
    with pytest.raises(ClaimError) as caught:
        check_claims(claims, config("email"), NOW)
    assert caught.value.reason == reason


def test_required_claims() -> None:
    owned = config("email", require={"repository_owner_id": "65"})
    check_claims({**GOOD, "repository_owner_id": 65}, owned, NOW)
    for found in ("66", None):
        with pytest.raises(ClaimError):
            check_claims({**GOOD, "repository_owner_id": found}, owned, NOW)
