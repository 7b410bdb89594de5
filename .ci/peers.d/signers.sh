# Keys in tokens, TPMs and key services: an environment with the extras. The token, TPM, GnuPG and OpenSSH
# themselves are Debian packages (.ci/run); the cloud services are stand-ins in tests/support.
PRATIQUE_SIGNERS_PYTHON=$(python_peer signers requirements/extras-signers.lock)
export PRATIQUE_SIGNERS_PYTHON
