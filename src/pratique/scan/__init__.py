"""What is in an artifact, and what is known about it: SBOM, advisories, matching."""
