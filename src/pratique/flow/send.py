"""Handing evidence over to the team's server, and keeping what its journal proves of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pratique.errors import (
    ConfigError,
    EvidenceInvalidError,
    InfrastructureError,
    PolicyRefusedError,
    SignatureInvalidError,
)
from pratique.flow.verify import named_root
from pratique.model.digest import Digest, sha256_bytes
from pratique.store.atomic import make_folder, write_atomic
from pratique.trust.bundle import MAX_BUNDLE_BYTES
from pratique.trust.encoding import b64decode
from pratique.trust.identity import role_identity
from pratique.trust.imported import OF_ONES_OWN, read_source
from pratique.trust.root import TrustedRoot  # noqa: TC001 - msgspec reads the annotations
from pratique.trust.rootfile import load_root
from pratique.trust.signers.service import RefusedError, Service
from pratique.trust.verify import verify_bundle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pratique.flow.config import Project
    from pratique.flow.workspace import Workspace
    from pratique.trust.established import Verified

ENDPOINT: Final = "/pratique/v1/evidence"
MAX_ANSWER_BYTES: Final = 2 * MAX_BUNDLE_BYTES


class Team(msgspec.Struct, frozen=True):
    """The server that evidence goes to.

    Attributes:
        url: its address.
        root: its trusted root, by which its answers are judged.
        ca_file: authorities to believe for its TLS; None for the system's.
    """

    url: str
    root: TrustedRoot
    ca_file: str | None = None


class Sent(msgspec.Struct, frozen=True):
    """Evidence in the server's journal: its digest and place there, and the bundle with its proof."""

    digest: Digest
    index: int
    bundle: bytes


def team_of(project: Project, home: Path) -> Team | None:
    """Give the server that a project names, if it names one (I/O: reads its trusted root).

    Raises:
        ConfigError: its trusted root is not in use here.
    """
    trust = project.config.trust
    if trust.server is None:
        return None
    file = named_root(home, trust.root or "")
    if file is None:
        raise ConfigError(
            f"{trust.server}: no root {trust.root!r} is in use here, by which its answers could be judged",
            hint=f"pratique trust use {trust.server}/tuf --root root.json --name {trust.root}",
        )
    return Team(trust.server, load_root(file), None if trust.ca is None else str(project.path(trust.ca)))


def send(
    team: Team,
    bundle: bytes,
    *,
    what: str,
    own: TrustedRoot | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Sent:
    """Hand a bundle over, and verify what comes back (I/O: the network).

    Args:
        team: whom.
        bundle: a statement's: signed by a token's identity under the server's root, minutes ago; or by a role
            under one's own.
        what: names it in messages.
        own: one's own root, if it is the latter; what comes back is the server's record of it then.
        sleep: waits between attempts.

    Raises:
        EvidenceInvalidError: it does not verify, or what came back is not it.
        PolicyRefusedError: the server does not take it; the message has its reason.
        InfrastructureError: it cannot be reached, or keeps failing. It may have it nevertheless: doing it
            again does no harm.
    """
    try:
        mine = verify_bundle(bundle, own or team.root)
    except EvidenceInvalidError as error:
        hint = error.hint if own else "is it signed under that server's root?"
        raise type(error)(f"{what}: {error.message}", hint=hint) from error
    found = _call(team, bundle, what, sleep)
    theirs = verify_bundle(found.bundle, team.root)
    there = (theirs.log_index, theirs.digest) == (found.index, found.digest)
    if not there or not (_is_same(mine, theirs) if own is None else _is_record(mine, theirs, own, team)):
        raise SignatureInvalidError(f"{what}: {team.url} answers with other evidence than was sent")
    return found


def send_own(workspace: Workspace, team: Team, artifact: Digest) -> list[tuple[Digest, Sent]]:
    """Hand over what roles signed here about an artifact, as far as it is not there yet (I/O).

    What came back is kept in `sent/<the team's root>/` of the state directory.

    Raises:
        PolicyRefusedError, InfrastructureError, EvidenceInvalidError: see `send`; what was sent before stays
            sent, and doing it again goes on.
    """
    folder = workspace.home / "sent" / team.root.fingerprint.hex
    done = []
    for reference in reversed(workspace.journal.find(subject=artifact)):
        if reference.key_id is not None or reference.predicate_type in OF_ONES_OWN:
            continue
        kept = folder / f"{reference.digest.hex}.sigstore.json"
        if len(reference.subjects) != 1 or kept.exists():
            continue
        try:
            workspace.verify(reference.digest)
        except EvidenceInvalidError:
            continue  # it counts for nothing here, and neither there
        data = workspace.journal.get(reference.digest)
        sent = send(team, data, what=f"evidence {reference.digest.short}", own=workspace.root)
        make_folder(folder)
        write_atomic(kept, sent.bundle)
        done.append((reference.digest, sent))
    return done


def _is_same(mine: Verified, theirs: Verified) -> bool:
    return (theirs.statement, theirs.signer, theirs.bundle.signature) == (
        mine.statement, mine.signer, mine.bundle.signature,
    )  # fmt: skip


def _is_record(mine: Verified, theirs: Verified, own: TrustedRoot, team: Team) -> bool:
    source = read_source(theirs.statement)
    verifier = role_identity(team.root.tlogs[0].origin, "verifier")
    return (theirs.signer, source.evidence, source.root) == (verifier, mine.digest, own.fingerprint)


def _call(team: Team, bundle: bytes, what: str, sleep: Callable[[float], None]) -> Sent:
    service = Service(team.url, where=what, headers=dict, sleep=sleep, ca_file=team.ca_file)
    try:
        answer = service.call("POST", ENDPOINT, bundle, max_bytes=MAX_ANSWER_BYTES)
    except RefusedError as error:
        raise PolicyRefusedError(
            f"{what}: {team.url} does not take it ({error.status}): {error.said}",
            hint="it takes statements that a token's identity signed under its own root, minutes old at most,"
            " and what roles signed under roots that its serve.toml names",
        ) from error
    return _returned(answer, team.url)


def _returned(answer: dict[str, Any], url: str) -> Sent:
    index = answer.get("logIndex")
    if not isinstance(index, int) or isinstance(index, bool):
        raise InfrastructureError(f"{url}: an answer without a place in the log", hint="is it pratique's?")
    data = b64decode(answer.get("bundle"), what=f"{url}: the returned bundle")
    return Sent(sha256_bytes(data), index, data)
