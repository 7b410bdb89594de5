"""Use cases: each composes the stages, which do not know one another."""
