"""How a CI's token becomes a certificate: templates over claims for the subject and Fulcio's extensions.

The profiles say what Fulcio's own configuration says (config/identity/config.yaml), so that a policy written
for public Sigstore reads these certificates too. Extension numbers: Fulcio, docs/oid-info.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

RAW_EXTENSIONS: Final = {
    "github-workflow-trigger": 2,
    "github-workflow-sha": 3,
    "github-workflow-name": 4,
    "github-workflow-repository": 5,
    "github-workflow-ref": 6,
}
"""Deprecated ones, whose values are bare text; everything later is a DER UTF8String."""

EXTENSIONS: Final = {
    **RAW_EXTENSIONS,
    "build-signer-uri": 9,
    "build-signer-digest": 10,
    "runner-environment": 11,
    "source-repository-uri": 12,
    "source-repository-digest": 13,
    "source-repository-ref": 14,
    "source-repository-identifier": 15,
    "source-repository-owner-uri": 16,
    "source-repository-owner-identifier": 17,
    "build-config-uri": 18,
    "build-config-digest": 19,
    "build-trigger": 20,
    "run-invocation-uri": 21,
    "source-repository-visibility-at-signing": 22,
    "deployment-environment": 23,
    "token-subject": 24,
}
MAX_VALUE: Final = 1024
_PLACE = re.compile(r"\{([A-Za-z0-9_./-]{1,80})\}")


class MissingClaimError(ValueError):
    """A template needs a claim that the token lacks, or that is no plain value."""


class Profile(msgspec.Struct, frozen=True):
    """Templates for one kind of provider.

    Attributes:
        subject: of the certificate's URI.
        extensions: by Fulcio's names; one that comes out empty is left out.
        values: for claims that a token may lack.
    """

    subject: str
    extensions: dict[str, str]
    values: dict[str, str]


_GITHUB = Profile(
    subject="{url}/{job_workflow_ref}",
    extensions={
        "github-workflow-trigger": "{event_name}",
        "github-workflow-sha": "{sha}",
        "github-workflow-name": "{workflow}",
        "github-workflow-repository": "{repository}",
        "github-workflow-ref": "{ref}",
        "build-signer-uri": "{url}/{job_workflow_ref}",
        "build-signer-digest": "{job_workflow_sha}",
        "runner-environment": "{runner_environment}",
        "source-repository-uri": "{url}/{repository}",
        "source-repository-digest": "{sha}",
        "source-repository-ref": "{ref}",
        "source-repository-identifier": "{repository_id}",
        "source-repository-owner-uri": "{url}/{repository_owner}",
        "source-repository-owner-identifier": "{repository_owner_id}",
        "build-config-uri": "{url}/{workflow_ref}",
        "build-config-digest": "{workflow_sha}",
        "build-trigger": "{event_name}",
        "run-invocation-uri": "{url}/{repository}/actions/runs/{run_id}/attempts/{run_attempt}",
        "source-repository-visibility-at-signing": "{repository_visibility}",
        "deployment-environment": "{environment}",
    },
    values={"url": "https://github.com", "environment": ""},
)
_GITLAB = Profile(
    subject="https://{ci_config_ref_uri}",
    extensions={
        "build-signer-uri": "https://{ci_config_ref_uri}",
        "build-signer-digest": "{ci_config_sha}",
        "runner-environment": "{runner_environment}",
        "source-repository-uri": "{url}/{project_path}",
        "source-repository-digest": "{sha}",
        "source-repository-ref": "refs/{ref_folder}/{ref}",
        "source-repository-identifier": "{project_id}",
        "source-repository-owner-uri": "{url}/{namespace_path}",
        "source-repository-owner-identifier": "{namespace_id}",
        "build-config-uri": "https://{ci_config_ref_uri}",
        "build-config-digest": "{ci_config_sha}",
        "build-trigger": "{pipeline_source}",
        "run-invocation-uri": "{url}/{project_path}/-/jobs/{job_id}",
        "source-repository-visibility-at-signing": "{project_visibility}",
        "deployment-environment": "{environment}",
    },
    values={"url": "https://gitlab.com", "environment": ""},
)
_BUILDKITE = Profile(
    subject="{url}/{organization_slug}/{pipeline_slug}",
    extensions={
        "run-invocation-uri": "{url}/{organization_slug}/{pipeline_slug}/builds/{build_number}#{job_id}",
        "runner-environment": "{runner_environment}",
        "source-repository-digest": "{build_commit}",
        "build-trigger": "{build_source}",
    },
    values={"url": "https://buildkite.com"},
)
_CODEFRESH = Profile(
    subject="{platform_url}/{account_name}/{pipeline_name}:{account_id}/{pipeline_id}",
    extensions={
        "build-signer-uri": "{platform_url}/build/{workflow_id}",
        "runner-environment": "{runner_environment}",
        "source-repository-uri": "{scm_repo_url}",
        "source-repository-ref": "{scm_ref}",
        "build-config-uri": "{platform_url}/api/pipelines/{pipeline_id}",
        "run-invocation-uri": "{platform_url}/build/{workflow_id}",
    },
    values={
        "platform_url": "https://g.codefresh.io",
        "scm_repo_url": "",
        "scm_ref": "",
        "runner_environment": "",
    },
)
PROFILES: Final = {
    "github-workflow": _GITHUB,
    "gitlab-pipeline": _GITLAB,
    "buildkite-job": _BUILDKITE,
    "codefresh-workflow": _CODEFRESH,
}


def template_problem(subject: str, extensions: Mapping[str, str]) -> str:
    """Say what is wrong with templates of one's own; nothing if they will do."""
    if not _PLACE.search(subject):
        return "the subject template names no claim, so everyone would be one and the same"
    for name, template in (("subject", subject), *extensions.items()):
        if name != "subject" and name not in EXTENSIONS:
            return f"no extension {name!r}; there are {', '.join(EXTENSIONS)}"
        if "{" in _PLACE.sub("", template) or "}" in _PLACE.sub("", template):
            return f"the template of {name} has a brace that is not around a claim's name"
    return ""


def fill(template: str, claims: Mapping[str, Any], values: Mapping[str, str]) -> str:
    """Fill a template from a token's claims, and where it has none from `values`.

    Raises:
        MissingClaimError: neither has it, or the claim is not a string, number or boolean.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name == "ref_folder":  # GitLab gives a ref's short name, and beside it what kind it is
            return "heads" if claims.get("ref_type") == "branch" else "tags"
        found = claims.get(name, values.get(name))
        if isinstance(found, bool):
            return "true" if found else "false"
        if not isinstance(found, str | int):
            raise MissingClaimError(f"the token has no claim {name}")
        return str(found)

    filled = _PLACE.sub(value, template)
    if len(filled) > MAX_VALUE or not filled.isprintable():
        raise MissingClaimError("a claim is too long, or has control characters")
    return filled
