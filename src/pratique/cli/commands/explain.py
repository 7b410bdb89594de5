"""`pratique explain`: why a decision came out as it did."""

from __future__ import annotations

import click

from pratique.cli.session import Session, session_options
from pratique.errors import UsageError


@click.command("explain")
@click.argument("artifact", required=False)
@click.option("--rule", metavar="CODE", help="Only this rule, also where it passed or was skipped.")
@click.option("--all", "every", is_flag=True, help="Also the rules that passed or were skipped.")
@session_options
def command(session: Session, *, artifact: str | None, rule: str | None, every: bool) -> None:
    """Say, rule by rule, why the last decision on ARTIFACT came out as it did, and what would cure it.

    ARTIFACT is a file or a digest, of an artifact or of a decision; by default the newest build. What is said
    to have been tried was tried on the input of that decision, under the policy of then; nothing is recorded.
    """
    from pratique.flow.config import find_file  # noqa: PLC0415 - pulls in msgspec
    from pratique.flow.policy_try import decision_meant  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.policy_why import explained  # noqa: PLC0415
    from pratique.model.strict_json import parse_json_object  # noqa: PLC0415
    from pratique.policy.explain import words  # noqa: PLC0415

    project = session.project if artifact is None or find_file(session.folder) else None
    workspace = session.workspace()
    decision = decision_meant(workspace, project, artifact)
    codes = {result.code for result in decision.results}
    if rule is not None and rule not in codes:
        raise UsageError(
            f"the decision says nothing about {rule!r}", hint=f"it has: {', '.join(sorted(codes))}"
        )
    found = explained(workspace, decision, code=rule)
    silent = [item for item in words.rule_by_rule(decision) if every or item.code == rule]

    def human() -> None:
        click.echo(words.render(found), nl=False)
        for item in silent:
            click.echo()
            click.echo(words.render_rule(decision, item), nl=False)

    import msgspec  # noqa: PLC0415 - loaded by now

    body = parse_json_object(decision.encode(), what="decision")
    session.emit(body | {"explanation": msgspec.to_builtins(found)}, human)
