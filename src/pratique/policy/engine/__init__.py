"""The Rego engines: one port, its adapters, and what is refused before any of them runs."""
