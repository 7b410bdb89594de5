"""Any order of signing, rotating and revoking: what counts is what a plain model of the rules says."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pratique.flow.revoke import revoke
from pratique.flow.rotate import ALL, Plan, rotate
from pratique.flow.trust import init_trust
from pratique.flow.workspace import Workspace
from pratique.model import predicate
from pratique.model.digest import Digest, sha256_bytes
from pratique.testing.authority import START, SettableClock
from pratique.trust.revocation import RevokedError
from pratique.trust.statement import Subject

SUBJECT = Subject("app-1.whl", sha256_bytes(b"an artifact").digest_set)
names = st.sampled_from(ALL)
steps = st.lists(
    st.one_of(
        st.just(("sign",)),
        st.tuples(st.just("rotate"), names),
        st.tuples(st.just("revoke"), names, st.integers(0, 6)),
    ),
    min_size=3,
    max_size=8,
)


def counts(workspace: Workspace, evidence: Digest) -> bool:
    try:
        workspace.verify(evidence)
    except RevokedError:
        return False
    return True


@settings(max_examples=20, deadline=None)
@given(steps)
def test_what_counts(taken: list[tuple[str, str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home, clock = Path(folder) / "home", SettableClock()
        init_trust(home, trust_domain="pratique.local", clock=clock)

        def reopen() -> Workspace:
            return Workspace.open(home, clock=clock)

        generation = dict.fromkeys(ALL, 0)
        signed: list[tuple[Digest, dt.datetime, dict[str, int]]] = []
        revoked: dict[tuple[str, int], dt.datetime] = {}
        for step in [("sign",), *taken, ("sign",)]:
            clock.advance(hours=1)
            workspace = reopen()
            if step[0] == "sign":
                recorded = workspace.record("builder", predicate.PROVENANCE, {}, [SUBJECT])
                signed.append((recorded.digest, clock(), dict(generation)))
                continue
            name = step[1]
            if step[0] == "rotate":
                rotate(workspace, Plan((name,)))
            else:
                since = max(START, clock() - dt.timedelta(hours=step[2]))
                revoke(workspace, name, since=since, reason="", reopen=reopen)
                revoked[name, generation[name]] = since
            generation[name] += 1
        workspace = reopen()
        for digest, moment, keys in signed:
            hit = {
                name: revoked[item] for name, item in zip(keys, keys.items(), strict=True) if item in revoked
            }
            late = any(moment >= since for since in hit.values())
            assert counts(workspace, digest) == (not late and not {"tsa", "log"} <= hit.keys())
        workspace.journal.verify()
