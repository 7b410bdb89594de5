"""The formats a decision can be written in, by the name people give."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pratique.policy.formats.conftest_json import write_conftest
from pratique.policy.formats.junit import write_junit
from pratique.policy.formats.markdown import write_markdown
from pratique.policy.formats.sarif import write_sarif

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pratique.policy.decision import Decision

FORMATS: Final[Mapping[str, Callable[[Decision], bytes]]] = {
    "sarif": write_sarif,
    "junit": write_junit,
    "markdown": write_markdown,
    "conftest": write_conftest,
}
