"""Decisions in the formats of other tools: pure writers, one a module, and the table of them (`table`)."""
