"""Overwritten by the build."""

HOST = ""
ZONE = ""
