"""Controlled deployment: a pure state machine, approvals, and the targets it drives."""
