# HashiCorp Vault, with its transit engine: what a vault: key is tested against. Its build takes about twelve
# minutes of processor time, once.
if command -v go >/dev/null; then
  PRATIQUE_VAULT=$(GOFLAGS=-tags=minimal go_peer vault github.com/hashicorp/vault)
  export PRATIQUE_VAULT
fi
