# Open Policy Agent: the reference for Rego, an engine of ours, and a peer in bench/policy_gate.py.
if command -v go >/dev/null; then
  PRATIQUE_OPA=$(go_peer opa github.com/open-policy-agent/opa)
  export PRATIQUE_OPA
  PRATIQUE_OPA_CASES=$(cd requirements/go/opa && go list -m -f '{{.Dir}}' github.com/open-policy-agent/opa)/v1/test/cases/testdata/v1
  export PRATIQUE_OPA_CASES
fi
