"""What CI providers put into their tokens."""

# A token of GitHub Actions, as its documentation shows one (docs.github.com, "OpenID Connect reference").
GITHUB = {
    "sub": "repo:octo-org/octo-repo:environment:prod",
    "environment": "prod",
    "ref": "refs/heads/main",
    "sha": "example-sha",
    "repository": "octo-org/octo-repo",
    "repository_owner": "octo-org",
    "repository_id": "74",
    "repository_owner_id": "65",
    "repository_visibility": "private",
    "run_id": "example-run-id",
    "run_number": "10",
    "run_attempt": "2",
    "runner_environment": "github-hosted",
    "actor": "octocat",
    "workflow": "example-workflow",
    "event_name": "workflow_dispatch",
    "ref_type": "branch",
    "job_workflow_ref": "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main",
    "job_workflow_sha": "job-sha",
    "workflow_ref": "octo-org/octo-repo/.github/workflows/main.yml@refs/heads/main",
    "workflow_sha": "workflow-sha",
}
