"""A package that knows where it was built, which is why nobody else can build the same."""

from stamped._stamp import HOST, ZONE

__all__ = ["HOST", "ZONE"]
