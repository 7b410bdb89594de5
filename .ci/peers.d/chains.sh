# Tekton Chains' own code, signing a TaskRun as its controller does: what `verify` reads from a run's annotations.
# Its build takes about two minutes of processor time, once.
if command -v go >/dev/null; then
  PRATIQUE_CHAINS=$(go_peer chains chains)
  export PRATIQUE_CHAINS
fi
