"""Types that every room shares: digests, strict JSON, predicate types, findings, package URLs.

Pure: bytes and values in, values out. No clock, no disk (except digesting a file), no process.
"""
