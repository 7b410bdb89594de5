# Tessera's POSIX storage: the peer in bench/journal_append.py.
if command -v go >/dev/null; then
  PRATIQUE_TESSERA=$(go_peer tessera tessera)
  export PRATIQUE_TESSERA
fi
