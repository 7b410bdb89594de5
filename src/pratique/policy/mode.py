"""Modes: what a denial leads to. The decision itself is the same in each."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """What `pratique gate` does about a denial; the strictest first.

    `enforce` stops, with exit code 1. `warn` says so loudly and exits with 0. `audit` records it and exits
    with 0. In each, the decision is `deny`, its VSA says FAILED, and nothing is approved or deployed on it: a
    mode is for pipelines that are being brought under a policy. What a single rule leads to is its level
    (`rule_data.Level`).
    """

    ENFORCE = "enforce"
    WARN = "warn"
    AUDIT = "audit"
