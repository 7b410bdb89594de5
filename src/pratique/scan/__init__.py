"""What is in an artifact, and which known vulnerabilities touch it: catalogue, SBOM, advisories, matching.

Nothing here reaches for a network, and nothing reports a clean result for want of data: an artifact in which
no component was recognised, an ecosystem without advisories, a version that cannot be ordered and a database
older than allowed all end as *unknown*.
"""
