"""Trust by The Update Framework: a trusted root and signing configuration, published and fetched.

Loads python-tuf, which is an extra: import the modules here where they are used.
"""
