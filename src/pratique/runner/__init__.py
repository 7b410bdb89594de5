"""Posture of the machine that builds, measured from inside, read-only and without a network."""
