# Sigstore's own verifiers.
PRATIQUE_SIGSTORE_PYTHON=$(python_peer sigstore requirements/interop-sigstore.lock)
export PRATIQUE_SIGSTORE_PYTHON
if command -v npm >/dev/null; then
  PRATIQUE_SIGSTORE_NODE=$(node_peer requirements/interop-node)
  export PRATIQUE_SIGSTORE_NODE
fi
