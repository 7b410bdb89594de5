"""Container images without a daemon: assemble them deterministically, read them safely, check them.

Formats: OCI image-spec 1.1 (manifest, index, config, layout, layers). The pure part (fields, descriptor,
manifest, tarwrite, tarread, tree, check/rules) takes values and streams; layout, source and assemble touch
the disk.
"""
