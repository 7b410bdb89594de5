"""`pratique verify`: verify evidence, one's own and others'."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pratique.cli.recording import brought_plain, check_named, record_accepted, say_brought
from pratique.cli.render import verdict
from pratique.cli.session import Session, given_digest, read_bounded, session_options
from pratique.errors import ExitCode, UsageError
from pratique.model.clock import format_time, system_clock
from pratique.model.predicate import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pratique.flow.verify import Judged
    from pratique.trust.acceptance import Filled
    from pratique.trust.established import Established

_MAX_BYTES = 64 * 1024 * 1024
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("verify")
@click.argument("target")
@click.option("--bundle", "bundles", type=_FILE, multiple=True, help="File of evidence; may be repeated.")
@click.option("--policy", type=_FILE, help="Verification policy (TOML): who has to have signed what.")
@click.option("--certificate-identity", "identity", default="", help="Whose certificate; * within a segment.")
@click.option("--certificate-oidc-issuer", "issuer", default="", help="Who has to vouch for that name.")
@click.option("--key", "keys", type=_FILE, multiple=True, help="Public key(s) to trust; may be repeated.")
@click.option("--root", help="Trusted root: a file, or the name of one in use.  [default: one's own]")
@click.option(
    "--predicate-type", default="", help="What has to be claimed: a URI, a short name, 'signature'."
)
@click.option("--record", is_flag=True, help="Take what was accepted into the journal, for the gate.")
@click.option("--max-age", type=click.IntRange(min=1), help="Oldest signature that counts, in days.")
@session_options
def command(
    session: Session,
    *,
    target: str,
    bundles: tuple[Path, ...],
    policy: Path | None,
    identity: str,
    issuer: str,
    keys: tuple[Path, ...],
    root: str | None,
    predicate_type: str,
    max_age: int | None,
    record: bool,
) -> int:
    """Verify TARGET: a file, a directory, or a digest, by the evidence in --bundle, whoever made it.

    Every signature given has to hold. Then whoever is trusted, by --policy, by --certificate-identity with
    --certificate-oidc-issuer, or by --key, has to have signed for TARGET; without any of these nobody is, and
    the answer is no. Nothing is fetched.

    With --record, evidence that was accepted is taken into the journal, with the root it was verified under;
    --root has to be a name then, or 'none' for signatures by keys alone. The gate verifies it again.

    Without --bundle, TARGET is itself a bundle of this installation's: a file, or its digest in the journal.
    """
    options = any((bundles, policy, identity, issuer, keys, root, predicate_type, max_age, record))
    if not options:
        return _own(session, target)
    if not bundles:
        raise UsageError("which evidence?", hint=f"pratique verify {target} --bundle FILE")
    from pratique.flow.verify import Given, ask_journal, find_root, find_target, judge  # noqa: PLC0415 - slow

    if record:
        check_named(session, root)
    given = Given(policy, identity, issuer, keys, predicate_type, max_age)
    artifact = find_target(target, Path(target))
    trusted = find_root(session.home, root)
    asked = ask_journal(session.workspace()) if (session.home / "journal").is_dir() else None
    revocations = asked.revocations if asked else ()
    judged = judge(artifact, bundles, trusted, given, revocations=revocations, now=system_clock())
    accepted = judged.accepted
    brought = record_accepted(session, judged, _name_of(target), root) if record else []

    def human() -> None:
        click.echo(f"{verdict('ACCEPTED', 'green') if accepted else verdict('REFUSED', 'red')} {target}")
        for line in judged_lines(judged):
            click.echo(line)
        click.echo(f"  revoked    {asked or f'no journal in {session.home}: only the policy was asked'}")
        say_brought(brought)

    recorded = brought_plain(brought)
    listed = [{"policy": True, "revocations": len(judged.policy.revoked)}] if judged.policy else []
    sources = {"revocationSources": [*([asked.plain] if asked else []), *listed]}
    session.emit(
        {"target": target, "accepted": accepted, **judged_plain(judged), **sources, "recorded": recorded},
        human,
    )
    if accepted:
        return ExitCode.PASSED
    return ExitCode.UNKNOWN if judged.unknown else ExitCode.REFUSED


def _name_of(target: str) -> str:
    name, at, digest = target.rpartition("@")
    return name if at and digest.startswith("sha256:") else Path(target).name


def _own(session: Session, evidence: str) -> int:
    from pratique.flow.attest import examine  # noqa: PLC0415 - pulls in cryptography
    from pratique.flow.verify import ask_journal  # noqa: PLC0415 - likewise

    file = Path(evidence)
    if not file.is_file() and not evidence.startswith("sha256:"):
        raise UsageError(
            f"{evidence!r} is neither a file nor a digest",
            hint="for the digests there are: pratique log list",
        )
    digest = None if file.is_file() else given_digest(evidence)
    workspace = session.workspace()
    data = workspace.journal.get(digest) if digest else read_bounded(file, _MAX_BYTES)
    examined = examine(workspace, data, what=str(digest or file))
    verified = examined.verified
    asked = ask_journal(workspace)
    signer = workspace.community.name_of(verified.signer)
    subjects = [{"name": item.name, "digest": item.digest} for item in verified.statement.subjects]
    body = {
        "evidence": str(verified.digest),
        "predicateType": verified.statement.predicate_type,
        "subjects": subjects,
        "signer": str(verified.signer),
        "person": signer,
        "signedAt": format_time(verified.signed_at),
        "logIndex": verified.log_index,
        "journalled": examined.journalled,
        "revocationSources": [asked.plain],
        "predicate": verified.statement.predicate,
    }

    def human() -> None:
        click.echo(f"verified   {verified.digest}")
        click.echo(f"claims     {short_name(verified.statement.predicate_type)}")
        for subject in verified.statement.subjects:
            click.echo(f"about      {subject.name}  sha256:{subject.digest.get('sha256', '?')}")
        click.echo(f"signed by  {signer or verified.signer}")
        click.echo(f"at         {format_time(verified.signed_at)}, log entry {verified.log_index}")
        click.echo(f"revoked    {asked}")

    session.emit(body, human)
    return ExitCode.PASSED


def judged_lines(judged: Judged) -> Iterator[str]:
    """Say what was verified, by what, and by which rule it counts."""
    for held in judged.evidence:
        yield from _held_lines(held.file, held.established, about=held.about)
    for one in judged.unknown:
        yield f"  unknown    {one.file}: {one.reason}"
        yield f"    hint       {one.hint}"
    for one in judged.unsound:
        yield f"  set aside  {one.file}: {one.reason}"
    if judged.outcome is None:
        yield "  no rule accepts anybody: say whom you trust with --policy, --certificate-identity or --key"
        return
    for filled in judged.outcome.roles:
        yield _role_line(filled)
        for signer, pattern in filled.by:
            yield f"    {signer}  by the rule {pattern}"
    for aside in judged.outcome.aside:
        yield f"  set aside  {aside.signer}: {aside.reason}"


def _held_lines(file: str, item: Established, *, about: bool) -> Iterator[str]:
    yield f"  held       {_claim(item)}, in {file} ({item.entity.carrier})"
    issuer = f", vouched for by {item.signer.issuer}" if item.signer.issuer else ""
    yield f"    signed by  {item.signer}{issuer}"
    for moment in item.moments:
        yield f"    at         {format_time(moment.at)}, says {moment.by}"
    if not item.moments:
        yield "    at         nobody says when"
    for log in item.logs:
        proof = f"proven in a tree of {log.tree_size}" if log.by == "proof" else "promised"
        yield f"    logged     {log.origin} entry {log.index}, {proof}"
    if not about:
        yield "    about      something else than this target"


def _role_line(filled: Filled) -> str:
    mark = click.style("✓", fg="green") if filled.enough else click.style("✗", fg="red")
    claims = " or ".join(short_name(item) for item in filled.role.may_sign) or "anything"
    missing = filled.role.threshold - len(filled.by)
    short = f"; {missing} more needed" if missing > 0 else ""
    return f"  {mark} {filled.role.name}: {len(filled.by)} of {filled.role.threshold} for {claims}{short}"


def _claim(item: Established) -> str:
    return "signature" if item.statement is None else short_name(item.statement.predicate_type)


def judged_plain(judged: Judged) -> dict[str, Any]:
    """Give that as JSON."""
    outcome = judged.outcome
    return {
        "digests": judged.artifact.digests or judged.artifact.files,
        "trustedRoot": str(judged.root.fingerprint),
        "roles": [
            {
                "role": filled.role.name,
                "threshold": filled.role.threshold,
                "filled": filled.enough,
                "by": [
                    {"signer": signer.subject, "issuer": signer.issuer, "rule": pattern.to_plain()}
                    for signer, pattern in filled.by
                ],
            }
            for filled in (outcome.roles if outcome else ())
        ],
        "evidence": [_plain_item(one.file, one.established, about=one.about) for one in judged.evidence],
        "setAside": [
            {"signer": one.signer, "reason": one.reason} for one in (outcome.aside if outcome else ())
        ],
        "unknown": [{"file": one.file, "reason": one.reason, "hint": one.hint} for one in judged.unknown],
        "unsound": [{"file": one.file, "reason": one.reason} for one in judged.unsound],
    }


def _plain_item(file: str, item: Established, *, about: bool) -> dict[str, Any]:
    return {
        "file": file,
        "carrier": item.entity.carrier,
        "claims": "signature" if item.statement is None else item.statement.predicate_type,
        "aboutTarget": about,
        "signer": {"kind": item.signer.kind, "subject": item.signer.subject, "issuer": item.signer.issuer},
        "key": {"kind": item.key.kind, "sha256": item.key.key_id} if item.key else None,
        "times": [{"at": format_time(moment.at), "by": moment.by} for moment in item.moments],
        "logs": [
            {"origin": log.origin, "index": log.index, "by": log.by, "treeSize": log.tree_size}
            for log in item.logs
        ],
        "certificateAuthority": item.authority,
        "certificateTransparency": list(item.ct_logs),
    }
