# The SARIF standard's own schema, as another project's package carries it.
PRATIQUE_SARIF_PYTHON=$(python_peer sarif requirements/interop-sarif.lock)
export PRATIQUE_SARIF_PYTHON
