# The CycloneDX project's Python library.
PRATIQUE_CYCLONEDX_PYTHON=$(python_peer cyclonedx requirements/interop-cyclonedx.lock)
export PRATIQUE_CYCLONEDX_PYTHON
