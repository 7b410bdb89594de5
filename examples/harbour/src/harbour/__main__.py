"""Serve the register on loopback, on the port that the environment names."""

from __future__ import annotations

import os

import uvicorn

from harbour.app import create_app


def main() -> None:
    """Run until told to stop."""
    uvicorn.run(create_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8080")), log_level="warning")


if __name__ == "__main__":
    main()
