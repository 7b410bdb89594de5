# OCI clients, and the distribution-spec's own conformance test: tests of `pratique image` and of the embedded registry.
if command -v go >/dev/null; then
  PRATIQUE_OCI_CONFORMANCE=$(go_peer conformance github.com/opencontainers/distribution-spec/conformance)
  PRATIQUE_CRANE=$(go_peer crane github.com/google/go-containerregistry/cmd/crane)
  PRATIQUE_ORAS=$(go_peer oras oras.land/oras/cmd/oras)
  export PRATIQUE_OCI_CONFORMANCE PRATIQUE_CRANE PRATIQUE_ORAS
fi
