# Go's checksum database and the transparency-dev verifiers: oracles for proofs and signed notes.
if command -v go >/dev/null; then
  PRATIQUE_TLOG_ORACLE=$(go_peer tlogoracle tlogoracle)
  export PRATIQUE_TLOG_ORACLE
fi
