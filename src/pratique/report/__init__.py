"""Reports computed from evidence: the chain, the SSDF tasks, and the audit package."""
