"""Hermetic builds: locked inputs, recipes, provenance, and proof by rebuilding."""
