"""The embedded private root: certificate authority, timestamp authority, log key, and the root that names them."""
