"""A registry for one machine and for tests: OCI distribution-spec 1.1, on a folder."""
