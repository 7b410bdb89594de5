"""Registries: images and what refers to them, pushed and pulled (OCI distribution-spec 1.1).

`http` makes one request safely, `client` knows the endpoints, `transfer` moves whole images to and from a
layout.
"""
