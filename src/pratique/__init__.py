"""Provable build and deploy: signed evidence, policy, approvals and deployment records."""

__version__ = "0.1.0"
