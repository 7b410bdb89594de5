"""People, their waivers, and a policy room to try them in."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import policy_scenario as s

from pratique.model.clock import format_time
from pratique.model.predicate import WAIVER
from pratique.policy.evidence import Evidence
from pratique.policy.shipped import shipped_bundle
from pratique.policy.waivers.person import Grant, Person

BUNDLE = shipped_bundle()
TERM = ("CVE-2026-1", s.LOCKED)
SIGNED = s.NOW - timedelta(days=1)
LONG_AGO = s.NOW - timedelta(days=365)
PEOPLE = ("Ada", "Grace", "Barbara")


def key(name: str) -> str:
    return f"key:{s.digest(f'key of {name}')}"


def person(name: str, *, roles: tuple[str, ...] = ("waiver-approver",), **changes: Any) -> Person:
    values: dict[str, Any] = {
        "key": key(name),
        "name": name,
        "not_before": LONG_AGO,
        "grants": (Grant(since=LONG_AGO, roles=roles),),
    }
    return Person(**(values | changes))


def scope(code: str = "vulns.threshold", term: tuple[str, ...] | None = TERM, **more: str) -> dict[str, Any]:
    shown = {} if term is None else {"term": list(term)}
    return {"code": code, "artifact": str(s.SUBJECT), **shown, **more}


def predicate(name: str, about: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "person": name,
        "scope": about or scope(),
        "reason": "not reachable",
        "waivedAt": format_time(SIGNED),
        "notAfter": format_time(s.NOW + timedelta(days=30)),
    } | changes


def waiver(
    name: str, body: dict[str, Any] | None = None, *, signed_at: datetime = SIGNED, **changes: Any
) -> Evidence:
    """Give a waiver as its person signed it; `body` is the predicate."""
    body = body or predicate(name)
    values: dict[str, Any] = {
        "digest": s.digest(
            f"{name} {sorted(map(str, body.items()))} {signed_at} {sorted(map(str, changes.items()))}"
        ),
        "predicate_type": WAIVER,
        "subjects": (s.SUBJECT,),
        "predicate": body,
        "signer": key(name),
        "signer_kind": "key",
        "signed_at": signed_at,
        "log_index": 100,
    }
    return Evidence(**(values | changes))


def violation(
    code: str = "vulns.threshold", term: tuple[str, ...] = TERM, severity: str = "high"
) -> dict[str, Any]:
    """Give what a rule says."""
    return {"code": code, "msg": f"{code} of {term}", "term": list(term), "severity": severity}
