"""A state directory open for work: the authority that signs, the journal that keeps, the evidence in it."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pratique.errors import InfrastructureError, SignatureInvalidError
from pratique.flow.people import Community, fold_people
from pratique.flow.progress import Silent
from pratique.flow.scratch import scratch_folder
from pratique.flow.signing import key_opener, nobody_to_ask
from pratique.flow.storage import open_journal, storage_of
from pratique.model import predicate
from pratique.model.clock import Clock, system_clock
from pratique.report.audit.former import former_links
from pratique.trust.authority.init import Authority
from pratique.trust.identity import KEYS_ALONE, role_identity
from pratique.trust.imported import Imported, keys_alone, verify_import, verify_source
from pratique.trust.revocation import (
    Revocation,
    RevokedError,
    read_revocations,
    refuse_revoked,
    refuse_revoked_entity,
)
from pratique.trust.root import parse_root
from pratique.trust.rootfile import ROOT_FILE, load_root
from pratique.trust.statement import Statement, Subject
from pratique.trust.verify import Verified, verify_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pratique.flow.progress import Progress
    from pratique.journal.writer import Recorded
    from pratique.model.digest import Digest
    from pratique.trust.root import TrustedRoot
    from pratique.trust.signers.port import AskSecret, Signer


class Workspace:
    """Signs, records, finds and verifies evidence in one state directory.

    Attributes:
        home: the state directory.
        authority: the embedded root, which signs for the roles.
        blobs: artifacts, evidence, policies, decisions, logs.
        journal: the log over the evidence.
        clock: the time.
        progress: who is told how the work goes.
        organisation: file of the policy that somebody set for all work here, if anybody did.
    """

    def __init__(
        self,
        home: Path,
        authority: Authority,
        *,
        clock: Clock,
        progress: Progress,
        organisation: Path | None = None,
    ) -> None:
        self.home = home
        self.authority = authority
        self.journal = open_journal(home, authority, storage_of(home))
        self.blobs = self.journal.blobs
        self.clock = clock
        self.progress = progress
        self.organisation = organisation
        self._verified: dict[Digest, Verified] = {}
        self._roots: dict[str, TrustedRoot] = {}

    @classmethod
    def open(
        cls,
        home: Path,
        *,
        clock: Clock = system_clock,
        progress: Progress | None = None,
        ask: AskSecret = nobody_to_ask,
        organisation: Path | None = None,
    ) -> Workspace:
        """Open a state directory; a journal that a killed run left behind is completed first.

        Args:
            home: the state directory.
            clock: the time.
            progress: who is told how the work goes.
            ask: gives PINs and passphrases, where the authority's keys need some.
            organisation: see `Workspace`.

        Raises:
            ConfigError: no trust root there; the hint makes one.
            EvidenceInvalidError: the journal contradicts itself.
            InfrastructureError: the directory cannot be written to.
        """
        authority = Authority.load(home / "trust", clock, key_opener(ask, clock))
        if not os.access(home, os.W_OK | os.X_OK):
            raise InfrastructureError(
                f"{home} cannot be written to",
                hint="a journal completes what a killed run left before it is read: work on a writable copy",
            )
        return cls(home, authority, clock=clock, progress=progress or Silent(), organisation=organisation)

    @property
    def root(self) -> TrustedRoot:
        """What evidence is verified against."""
        return self.authority.trusted_root

    def record(
        self, role: str, predicate_type: str, body: Mapping[str, Any], subjects: Sequence[Subject]
    ) -> Recorded:
        """Sign a claim as one of the authority's roles and append it to the journal."""
        return self.append(self.authority.signer(role), predicate_type, body, subjects)

    def append(
        self, signer: Signer, predicate_type: str, body: Mapping[str, Any], subjects: Sequence[Subject]
    ) -> Recorded:
        """Sign a claim and append it to the journal; once this returns, it is not lost."""
        statement = Statement(tuple(subjects), predicate_type, dict(body))
        (recorded,) = self.journal.append([signer.sign(statement)])
        if predicate_type in {predicate.ENROLMENT, predicate.REVOCATION}:
            for stale in ("community", "enrolments", "revocations"):
                self.__dict__.pop(stale, None)
        if predicate_type == predicate.REVOCATION:
            self._verified.clear()
        return recorded

    def verify(self, evidence: Digest) -> Verified:
        """Read one piece of evidence and verify it in full.

        Raises:
            EvidenceInvalidError: it is not in the store, not intact, or does not verify.
        """
        if evidence not in self._verified:
            data = self.journal.get(evidence)
            refuse_revoked(data, self.root, self.revocations)
            self._verified[evidence] = verify_bundle(data, self.root, keys=self.community.keys)
        return self._verified[evidence]

    def imported(self, record: Verified) -> Imported:
        """Verify the evidence of others that a record brought in, under its root then and by now.

        Raises:
            EvidenceInvalidError: it does not hold, or rests on what was revoked here; its root is not in use
                here any more; or another than the verifier recorded it.
        """
        place = f"imported evidence {record.digest.short}"
        if record.signer != role_identity(self.authority.trust_domain, "verifier"):
            raise SignatureInvalidError(f"{place}: recorded by {record.signer}, not by the verifier")
        found = verify_import(record, self.blobs.get)
        alone = found.source.root_name == KEYS_ALONE
        root = keys_alone() if alone else self._root_in_use(found.source.root_name, place)
        if root.fingerprint != found.source.root:
            verify_source(record, found.source, root, self.blobs.get(found.source.evidence))
        refuse_revoked_entity(found.established, root, self.revocations)
        return found

    def _root_in_use(self, name: str, place: str) -> TrustedRoot:
        file = self.home / "roots" / name / ROOT_FILE
        if not file.is_file():
            raise SignatureInvalidError(
                f"{place}: root {name} is not in use here any more", hint="pratique trust use --help"
            )
        if name not in self._roots:
            self._roots[name] = load_root(file)
        return self._roots[name]

    @cached_property
    def community(self) -> Community:
        """The people enrolled, by the journal's own enrolment statements.

        Raises:
            EvidenceInvalidError: see `enrolments`; then no evidence can be judged.
        """
        return fold_people(self.enrolments, self.authority.trust_domain)

    @cached_property
    def enrolments(self) -> list[Verified]:
        """The verified enrolment statements; what a person's key signed under that type enrols nobody.

        Raises:
            EvidenceInvalidError: one is missing, damaged, or does not verify.
        """
        references = self.journal.find(predicate_type=predicate.ENROLMENT)
        held: list[Verified] = []
        for found in references:
            if found.key_id is not None:
                continue
            data = self.journal.get(found.digest)
            try:
                refuse_revoked(data, self.root, self.revocations)
            except RevokedError:
                continue  # who it enrolled is nobody until enrolled again
            held.append(verify_bundle(data, self.root))
        return held

    @cached_property
    def revocations(self) -> tuple[Revocation, ...]:
        """What no longer counts, by the journal's own revocation statements.

        Raises:
            EvidenceInvalidError: one is missing, damaged, or does not verify; then nothing can be judged.
        """
        found = self.journal.find(predicate_type=predicate.REVOCATION)
        if not found:
            return ()
        bundles = [self.journal.get(item.digest) for item in found if item.key_id is None]
        former = former_links(self.root, journal=self.journal, blobs=self.blobs)
        roots = [self.root, *(parse_root(link.root) for link in former.values())]
        return read_revocations(bundles, roots)

    def scratch(self) -> AbstractContextManager[Path]:
        """Give a scratch folder; see `scratch_folder`."""
        return scratch_folder(self.home / "work")
