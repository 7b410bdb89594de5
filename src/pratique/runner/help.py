"""The text about each check, for the documentation and for SARIF's help."""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pratique.runner.check import Check


@functools.cache
def _texts() -> dict[str, dict[str, str]]:
    return tomllib.loads(Path(__file__).with_name("help.toml").read_text(encoding="utf-8"))


def help_of(check: Check) -> list[str]:
    """Give a check's help as Markdown, one item a paragraph."""
    text = _texts()[check.id]
    severity = (
        f"{check.whole.value}"
        if check.whole is check.contained
        else f"{check.contained.value} in a container or pod, {check.whole.value} otherwise"
    )
    return [
        f"**Looks at** {text['looks']}",
        f"**Fails when** {text['fails']}",
        *([f"Applies {text['applies']}"] if "applies" in text else []),
        f"**Severity** {severity}. **Fix:** {check.fix}.",
    ]
