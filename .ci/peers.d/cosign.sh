# Sigstore's cosign: verifies what we sign, and the peer in bench/policy_gate.py.
if command -v go >/dev/null; then
  PRATIQUE_COSIGN=$(go_peer cosign github.com/sigstore/cosign/v3/cmd/cosign)
  export PRATIQUE_COSIGN
fi
