"""`pratique policy eval|diff`: a policy on what was decided before, and nothing recorded."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pratique.cli.session import Session, session_options
from pratique.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pratique.flow.policy_diff import Asked
    from pratique.policy.suite.diff import PolicyChange

_SHOWN = 200


@click.command("eval")
@click.argument("policy", default="current")
@click.option("--input", "saved", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Input document, as --save writes it.")  # fmt: skip
@click.option("--artifact", help="Take the input of the newest decision on it; or a decision's digest.")
@click.option(
    "--data", "settings", multiple=True, metavar="KEY=VALUE", help="Rule data to lay over.  [repeatable]"
)
@click.option("--at", metavar="TIME", help="Effective time, RFC 3339 or a day.  [default: the input's]")
@click.option("--save", type=click.Path(dir_okay=False, path_type=Path), help="Write the input to a file.")
@click.option("--explain", is_flag=True, help="Explain the outcome rule by rule.")
@session_options
def evaluate(
    session: Session,
    *,
    policy: str,
    saved: Path | None,
    artifact: str | None,
    settings: tuple[str, ...],
    at: str | None,
    save: Path | None,
    explain: bool,
) -> int:
    """Try POLICY on a saved input; nothing is journalled.

    POLICY is a folder, a bundle file, sha256:<hex>, shipped:PROFILE, or `current`, the one in force. Without
    --input and --artifact the newest build's newest decision is tried again.
    Exit code 1 where it is denied by a policy that enforces.
    """
    from pratique.cli.commands.policy import parse_data, surroundings  # noqa: PLC0415 - that module imports this one
    from pratique.flow import policy_try  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.policy import engine_of  # noqa: PLC0415
    from pratique.flow.policy_source import policy_meant  # noqa: PLC0415
    from pratique.model.strict_json import parse_json_object  # noqa: PLC0415
    from pratique.policy.explain import words  # noqa: PLC0415
    from pratique.store.atomic import write_atomic  # noqa: PLC0415

    around = surroundings(session)
    if saved is not None and artifact is not None:
        raise UsageError("--input and --artifact each name an input", hint="give one of them")
    if saved is not None:
        given = policy_try.saved_input(saved)
    else:
        if around.workspace is None:
            raise UsageError("no input: there is no state directory here", hint="--input FILE")
        decision = policy_try.decision_meant(around.workspace, around.project, artifact)
        given = policy_try.input_of(around.workspace, decision)
    bundle = policy_try.with_data(policy_meant(policy, around), parse_data(settings))
    gated = policy_try.try_policy(given, bundle, engine_of(around.project), at=_moment(at))
    if save is not None:
        write_atomic(save, policy_try.input_text(given), mode=0o644)

    def human() -> None:
        found = gated.decision
        if explain:
            click.echo(words.render(policy_try.trial_explained(gated, bundle)), nl=False)
            return
        click.echo(
            f"{found.decision} {found.name} {found.subject.short} by {policy} at {found.effective_time}"
        )
        for line in words.result_lines(found):
            click.echo(f"  {line}")

    session.emit(parse_json_object(gated.decision.encode(), what="decision"), human)
    return ExitCode.REFUSED if gated.decision.stops else ExitCode.PASSED


def _moment(text: str | None) -> datetime | None:
    from pratique.errors import MalformedError  # noqa: PLC0415 - few tries are for another time
    from pratique.model.clock import parse_time  # noqa: PLC0415

    if text is None:
        return None
    try:
        return parse_time(text if "T" in text else f"{text}T00:00:00Z")
    except MalformedError as error:
        raise UsageError(f"--at {text!r} is no time", hint="--at 2027-01-01T00:00:00Z, or a day") from error


@click.command("diff")
@click.argument("old")
@click.argument("new", default="current")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Only decisions from this day (UTC) on.")
@click.option(
    "--limit", type=click.IntRange(1), default=100, show_default=True, help="At most so many, newest first."
)
@session_options
def diff(session: Session, *, old: str, new: str, since: datetime | None, limit: int) -> int:
    """Say what sets policy NEW (by default the one in force) apart from OLD.

    What changed in it, and which past decisions would come out otherwise: both policies decide again on
    the inputs that the journal keeps. Each is a folder, a bundle file, sha256:<hex>, shipped:PROFILE or
    `current`.
    Exit code 1 where a decision differs, 3 where none does and one could not be compared.
    """
    from pratique.cli.commands.policy import surroundings  # noqa: PLC0415 - that module imports this one
    from pratique.flow.policy import engine_of  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.policy_diff import diff_history  # noqa: PLC0415
    from pratique.flow.policy_source import policy_meant  # noqa: PLC0415
    from pratique.policy.suite.diff import compare_policies  # noqa: PLC0415

    around = surroundings(session)
    before, after = policy_meant(old, around), policy_meant(new, around)
    changes = compare_policies(before, after)
    asked: list[Asked] = []
    if around.workspace is not None:
        start = since.replace(tzinfo=UTC) if since else None
        engine = engine_of(around.project)
        asked = diff_history(around.workspace, before, after, engine, since=start, limit=limit)

    def human() -> None:
        click.echo(f"policy   {old} {before.digest.short} → {new} {after.digest.short}")
        for change in changes:
            click.echo(_change_line(change))
        for line in _history_lines(asked):
            click.echo(line)

    session.emit(_document(changes, asked), human)
    if any(item.difference for item in asked):
        return ExitCode.REFUSED
    return ExitCode.UNKNOWN if any(item.problem for item in asked) else ExitCode.PASSED


def _change_line(change: PolicyChange) -> str:
    sign = "+" if change.before is None else "-" if change.after is None else "~"
    if change.part in {"module", "source"}:
        return f"{sign} {change.part:<11} {change.name}"
    if change.part == "rule":
        shown = change.after or change.before
        said = f"{shown['title']} ({shown['severity']})"
        if sign == "~":
            said = ", ".join(
                f"{key}: {change.before[key]!r} → {change.after[key]!r}"
                for key in change.before
                if change.before[key] != change.after[key]
            )
        return f"{sign} {change.part:<11} {change.name}: {said}"
    values = [repr(value) for value in (change.before, change.after) if value is not None]
    return f"{sign} {change.part:<11} {change.name}: {' → '.join(values)}"[:_SHOWN]


def _history_lines(asked: list[Asked]) -> Iterator[str]:
    compared = [item for item in asked if item.difference is not None]
    flips = [item.difference for item in compared if item.difference and item.difference.flips]
    denied = sum(flip.after == "deny" for flip in flips)
    differ = sum(bool(item.difference) for item in compared)
    yield (
        f"history  {len(compared)} past decisions asked again: {differ} differ; {denied} that passed would be"
        f" denied, {len(flips) - denied} that were denied would pass"
    )
    for item in asked:
        if item.problem:
            yield f"  ? {item.name or item.evidence.short}: could not be compared: {item.problem}"
        elif item.difference:
            verdicts = f"{item.difference.before} → {item.difference.after}"
            short = item.subject.short if item.subject else ""
            yield f"  {item.name}  {short}  {item.effective_time}  {verdicts}"
            for moved in item.difference.moved:
                sign = "+" if not moved.before else "-" if not moved.after else "~"
                level = " → ".join(text for text in (moved.before, moved.after) if text)
                yield f"    {sign} {moved.code} {level}: {moved.msg}"[:_SHOWN]


def _document(changes: tuple[PolicyChange, ...], asked: list[Asked]) -> dict[str, Any]:
    import msgspec  # noqa: PLC0415 - loaded by now

    return {
        "policy": [
            {"part": item.part, "name": item.name, "before": item.before, "after": item.after}
            for item in changes
        ],
        "decisions": [
            {
                "evidence": str(item.evidence),
                "name": item.name,
                "subject": str(item.subject) if item.subject else None,
                "effectiveTime": item.effective_time,
                "problem": item.problem,
                "difference": msgspec.to_builtins(item.difference) if item.difference is not None else None,
            }
            for item in asked
        ],
    }
