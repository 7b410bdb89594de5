"""The places releases go to: a directory on this host, and the service that runs from it."""
