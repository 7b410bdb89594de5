"""A decision in words: what was looked at, which condition failed, what would change it."""
