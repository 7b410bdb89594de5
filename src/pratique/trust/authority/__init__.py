"""The embedded private root: certificate authority, timestamp authority, log key, and trusted root."""
