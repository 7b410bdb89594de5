# Keys in tokens, TPMs and key services: an environment with the extras, and stand-ins for the cloud.
# The token, TPM, GnuPG and OpenSSH themselves are Debian packages (.ci/run).
PRATIQUE_SIGNERS_PYTHON=$(python_peer signers requirements/extras-signers.lock)
PRATIQUE_MOTO_PYTHON=$(python_peer moto requirements/interop-moto.lock)
export PRATIQUE_SIGNERS_PYTHON PRATIQUE_MOTO_PYTHON
