"""The audit package: one file that proves an artifact's whole chain offline (docs/spec/audit-package.md)."""
