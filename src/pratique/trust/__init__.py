"""Signing and verifying: statements, envelopes, bundles, log proofs, trust roots. Verification is pure."""
