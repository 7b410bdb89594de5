"""Evidence that others made, one module a carrier: bytes in, `trust.entity.Entity` out, nothing decided."""
