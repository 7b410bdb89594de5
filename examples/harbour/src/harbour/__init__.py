"""A harbour master's register: which ships lie here, and which have been granted pratique."""
