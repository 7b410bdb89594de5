"""Limits for tests that are about something else: far from what any machine takes, and still an end."""

from __future__ import annotations

from pratique.policy.engine.port import Limits

PATIENT = Limits(wall_seconds=120, start_seconds=120)
