"""Bytes at rest: content-addressed blobs, atomic files, locks."""
