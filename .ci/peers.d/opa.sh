# Open Policy Agent and Conftest: the reference for Rego, and the peers in bench/policy_gate.py.
if command -v go >/dev/null; then
  PRATIQUE_OPA=$(go_peer opa github.com/open-policy-agent/opa)
  export PRATIQUE_OPA
fi
