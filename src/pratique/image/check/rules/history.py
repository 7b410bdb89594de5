"""Rules about how the image was made, as far as its history tells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pratique.image.check.facts import Facts, NotApplicableError, Rule, Seen
from pratique.model.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def _matching(pattern: str, detail: str) -> Callable[[Facts], Iterator[Seen]]:
    expression = re.compile(pattern, re.IGNORECASE)

    def look(facts: Facts) -> Iterator[Seen]:
        if not facts.config.history:
            raise NotApplicableError("the image has no history")
        for number, step in enumerate(facts.config.history, 1):
            if expression.search(step.created_by):
                yield Seen(f"history {number}", detail)

    return look


def _arguments(facts: Facts) -> Iterator[Seen]:
    """Find build arguments, which classic builders write into each step: `|1 NAME=value /bin/sh -c …`."""
    for number, step in enumerate(facts.config.history, 1):
        for name in re.findall(r"\|\d+ (.*?) /bin/sh -c", step.created_by)[:1]:
            found = re.findall(r"(\w*(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY)\w*)=\S", name, re.IGNORECASE)
            for variable in found:
                yield Seen(f"history {number}", f"the build argument {variable} is a secret by its name")


def _count(facts: Facts) -> Iterator[Seen]:
    steps = sum(not step.empty_layer for step in facts.config.history)
    if not facts.config.history:
        yield Seen("history", "there is none")
    elif steps != len(facts.manifest.layers):
        yield Seen("history", f"tells of {steps} layers, where there are {len(facts.manifest.layers)}")


_COMMAND: Final = r"(?:^|[\s;&|(])"

RULES: Final = (
    Rule(
        id="IMG-HIS-01",
        severity=Severity.MEDIUM,
        title="Nothing was added from a URL",
        fix="download by digest before the build, and copy the file",
        look=_matching(r"(?:^|#\(nop\)\s*)\s*ADD\s+(?:--\S+\s+)*\[?\"?https?://", "ADD from a URL"),
    ),
    Rule(
        id="IMG-HIS-02",
        severity=Severity.HIGH,
        title="No download was piped into an interpreter",
        fix="download by digest, then run the file",
        look=_matching(
            _COMMAND + r"(?:curl|wget)\s[^;&]*\|\s*(?:sudo\s+)?(?:\S*/)?"
            r"(?:(?:ba|da|z|k)?sh|python3?|perl|node)\b",
            "a download piped into an interpreter",
        ),
    ),
    Rule(
        id="IMG-HIS-03",
        severity=Severity.HIGH,
        title="Downloads were verified",
        fix="remove the option; add your own authority's certificate or key instead",
        look=_matching(
            _COMMAND + r"(?:curl\s[^;&|]*(?:\s-k\b|--insecure)|wget\s[^;&|]*--no-check-certificate"
            r"|apt(?:-get)?\s[^;&|]*(?:--allow-unauthenticated|--force-yes)|apk\s[^;&|]*--allow-untrusted"
            r"|pip3?\s[^;&|]*--trusted-host|(?:yum|dnf)\s[^;&|]*--nogpgcheck)",
            "the verification of a download was turned off",
        ),
    ),
    Rule(
        id="IMG-HIS-04",
        severity=Severity.MEDIUM,
        title="Permissions were not opened to all",
        fix="give the one user that needs it the permission",
        look=_matching(_COMMAND + r"chmod\s[^;&|]*(?:\b0?777\b|[ao]\+[rx]*w|\ba=rwx)", "chmod for everybody"),
    ),
    Rule(
        id="IMG-HIS-05",
        severity=Severity.HIGH,
        title="No secrets in build arguments",
        fix="change the secret now; mount secrets into the build instead",
        look=_arguments,
    ),
    Rule(
        id="IMG-HIS-06",
        severity=Severity.LOW,
        title="Was not upgraded as a whole",
        fix="use a newer base by digest: an upgrade gives another result each day",
        look=_matching(
            _COMMAND + r"(?:(?:apt|apt-get|apk)\s+(?:-\S+\s+)*(?:dist-|full-)?upgrade"
            r"|(?:yum|dnf)\s+(?:-\S+\s+)*update)\b",
            "the whole system was upgraded",
        ),
    ),
    Rule(
        id="IMG-HIS-07",
        severity=Severity.LOW,
        title="History tells of every layer",
        fix="build with a builder that writes history, and do not edit it",
        look=_count,
    ),
)
