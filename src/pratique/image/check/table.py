"""The rules, in the order they are shown; ids have gaps nowhere and never change their meaning."""

from __future__ import annotations

from typing import Final

from pratique.image.check.rules import config, files, history, layers, origin, secrets

RULES: Final = (
    *secrets.RULES,
    *config.RULES,
    *files.RULES,
    *history.RULES,
    *origin.RULES,
    *layers.RULES,
)
