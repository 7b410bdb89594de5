"""The server: the private root as a service that speaks Fulcio v2, Rekor v2, RFC 3161 and TUF."""
