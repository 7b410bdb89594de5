# Conftest: a peer in bench/policy_gate.py.
if command -v go >/dev/null; then
  PRATIQUE_CONFTEST=$(go_peer conftest github.com/open-policy-agent/conftest)
  export PRATIQUE_CONFTEST
fi
