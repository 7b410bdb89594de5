"""Run a command in isolation, and say which isolation held."""
