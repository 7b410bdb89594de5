# Conftest: a peer in bench/policy_gate.py, and its example policies with their inputs.
if command -v go >/dev/null; then
  PRATIQUE_CONFTEST=$(go_peer conftest github.com/open-policy-agent/conftest)
  PRATIQUE_CONFTEST_EXAMPLES=$(cd requirements/go/conftest &&
    GOTOOLCHAIN=local go list -mod=readonly -m -f '{{.Dir}}' github.com/open-policy-agent/conftest)/examples
  export PRATIQUE_CONFTEST PRATIQUE_CONFTEST_EXAMPLES
fi
