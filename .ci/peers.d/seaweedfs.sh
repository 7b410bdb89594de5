# SeaweedFS: an S3 server for the journal on object storage.
seaweedfs=$(python_peer seaweedfs requirements/interop-seaweedfs.lock)
PRATIQUE_SEAWEEDFS=$(dirname "$seaweedfs")/weed
export PRATIQUE_SEAWEEDFS
