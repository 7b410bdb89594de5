"""Collections of advisories in forms of their own, each turned into OSV records."""
