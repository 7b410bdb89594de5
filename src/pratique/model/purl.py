"""Package URLs (purl-spec): the name under which packages meet advisories."""

from __future__ import annotations

from packageurl import PackageURL
from packaging.utils import canonicalize_name


def python_purl(name: str, version: str) -> str:
    """Give the purl of a PyPI distribution, its name normalised as PEP 503 says."""
    return PackageURL(type="pypi", name=canonicalize_name(name), version=version).to_string()
