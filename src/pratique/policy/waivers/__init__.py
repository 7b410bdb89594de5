"""Signed, expiring exceptions: which of them count, and for which findings."""
